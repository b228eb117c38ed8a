package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Ring is when a timer is due next, and after what time again; 0 is once.
type Ring struct {
	Due   int64 // milliseconds since the epoch
	Every int64 // milliseconds
}

// Missed says what happens to times that a timer has missed.
type Missed uint8

// The policies.
const (
	FireAll Missed = iota
	FireOnce
	SkipMissed
)

// TimerSpec is what a store of timers is made of.
type TimerSpec[K any] struct {
	Store  *topology.Store
	Label  string
	Key    serde.Serde[K]
	Wall   bool // due by the time of day, instead of by stream time
	Missed Missed
}

// Timers is a store with one timer for each key.
type Timers[K any] struct {
	kv     *KeyValue[K, Ring]
	missed Missed
	since  int64 // by the wall clock, when the task began
	fire   func(k K, due int64) error
}

// OpenTimers opens the store in a task that is being made.
func OpenTimers[K any](t *task.Task, spec TimerSpec[K]) *Timers[K] {
	s := &Timers[K]{missed: spec.Missed, since: t.Now().UnixMilli()}
	s.kv = OpenKeyValue(t, Spec[K, Ring]{
		Store: spec.Store, Label: spec.Label, Key: spec.Key, Value: RingSerde,
		life: &life[K, Ring]{wall: spec.Wall, ring: s.ring, dueOf: func(e *Entry[K, Ring]) int64 { return e.Value.Due }},
	})
	return s
}

// OnFire sets what is called for timers that are due. It reports false if it was set
// before.
func (s *Timers[K]) OnFire(f func(k K, due int64) error) bool {
	if s.fire != nil {
		return false
	}
	s.fire = f
	return true
}

// Set replaces the timer of a key. now is the time that the row is written with.
func (s *Timers[K]) Set(k K, r Ring, now int64) error {
	r.Due = max(r.Due, 0)
	e, err := s.kv.Slot(k)
	if err == nil {
		s.kv.Set(e, r, now)
	}
	return err
}

// Cancel removes the timer of a key.
func (s *Timers[K]) Cancel(k K, now int64) error {
	e, err := s.kv.Slot(k)
	if err == nil && e.OK {
		s.kv.Delete(e, now)
	}
	return err
}

// Find is the timer of a key.
func (s *Timers[K]) Find(k K) (r Ring, ok bool, err error) {
	e, err := s.kv.Entry(k)
	if err != nil {
		return r, false, err
	}
	return e.Value, e.OK, nil
}

// All is every timer, in the order of the encoded keys.
func (s *Timers[K]) All() ([]Pair[K, Ring], error) { return s.kv.Rows(nil, nil) }

// ring calls for one time of a timer that is due, or for several, as the policy
// says. The timer is as it will be before its function is called, which may set it.
func (s *Timers[K]) ring(e *Entry[K, Ring], now int64) error {
	if s.fire == nil {
		return nil // it stays for whoever opens the store
	}
	if err := s.kv.Touch(e); err != nil {
		return err
	}
	r := e.Value
	if r.Every <= 0 {
		s.kv.Delete(e, r.Due)
		if s.missed == SkipMissed && s.slept(r.Due) {
			s.skip(1)
			return nil
		}
		return s.fire(e.Key, r.Due)
	}
	if s.missed == FireAll {
		s.kv.Set(e, Ring{r.Due + r.Every, r.Every}, r.Due)
		return s.fire(e.Key, r.Due)
	}
	// All that are due but the last are missed.
	n := (now - r.Due) / r.Every
	last := r.Due + n*r.Every
	s.kv.Set(e, Ring{last + r.Every, r.Every}, last)
	if s.missed == SkipMissed {
		if s.slept(last) {
			s.skip(n + 1)
			return nil
		}
		s.skip(n)
	}
	return s.fire(e.Key, last)
}

// slept reports whether a time passed while the task didn't run here.
func (s *Timers[K]) slept(due int64) bool { return s.kv.life.wall && due < s.since }

func (s *Timers[K]) skip(n int64) {
	for range n {
		s.kv.task.Drop(s.kv.label, task.DropMissed)
	}
}

// ringSerde is the form of a timer: due and interval, 8 bytes each, big-endian.
type ringSerde struct{}

// RingSerde is the serde of timers.
var RingSerde serde.Serde[Ring] = ringSerde{}

const ringLen = 16

// Append implements serde.Serde.
func (ringSerde) Append(dst []byte, r Ring) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Due))
	return binary.BigEndian.AppendUint64(dst, uint64(r.Every)), nil
}

// Decode implements serde.Serde.
func (ringSerde) Decode(src []byte) (r Ring, err error) {
	if len(src) != ringLen {
		return r, fmt.Errorf("a timer of %d bytes, not %d", len(src), ringLen)
	}
	r.Due = int64(binary.BigEndian.Uint64(src))
	r.Every = int64(binary.BigEndian.Uint64(src[8:]))
	if r.Due < 0 || r.Every < 0 {
		return Ring{}, fmt.Errorf("a timer due at %d, every %d", r.Due, r.Every)
	}
	return r, nil
}
