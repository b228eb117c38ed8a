package state

import (
	"iter"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// TimerStore is the declaration of durable timers, one for each key. They are kept
// in a store with a changelog, and set, cancelled and gone in the same commits as
// the records that caused it; after a restart they are there again.
type TimerStore[K any] struct {
	Store[K, cache.Ring]
	wall   bool
	missed Missed
}

// Missed says what happens to a time of a timer that was missed: since a later time
// of the same timer is due already, or, by wall clock, since it passed while no
// task ran that could have kept it.
type Missed = cache.Missed

// The policies.
const (
	// FireAll calls for each time, in order. It is the default.
	FireAll = cache.FireAll
	// FireOnce calls once for all times of a timer that are due, with the last.
	FireOnce = cache.FireOnce
	// SkipMissed doesn't call for times that were missed, and counts them, reason
	// "missed-timer". The time that is due now is not missed.
	SkipMissed = cache.SkipMissed
)

// NewTimers declares timers that go by event time: they are due when the task's
// stream time reaches them.
func NewTimers[K any](name string, key serde.Serde[K], opts ...Option) TimerStore[K] {
	return TimerStore[K]{Store: newStore(name, key, cache.RingSerde, opts)}
}

// ByWallClock makes the timers go by the time of day.
func (s TimerStore[K]) ByWallClock() TimerStore[K] {
	s.wall = true
	return s
}

// Missed sets the policy for times that were missed.
func (s TimerStore[K]) Missed(p Missed) TimerStore[K] {
	s.missed = p
	return s
}

// Attach implements [Declared].
func (s TimerStore[K]) Attach(b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	st, created := b.SharedStore(s.spec(b, topology.Timers, 0, at), dsl.TypeNames[K, cache.Ring]())
	if !created {
		return st, nil
	}
	return st, func(t *task.Task, label string) {
		t.Keep(st.Name, cache.OpenTimers(t, cache.TimerSpec[K]{
			Store: st, Label: label, Key: s.Key(), Wall: s.wall, Missed: s.missed,
		}))
	}
}

// Timers is the open timers of a task. They are used by the processor that opened
// them, as [KeyValue] is.
type Timers[K any] struct {
	rows
	timers *cache.Timers[K]
}

// Timers opens declared timers, while the processor is set up. f is called for each
// that is due, with its key and the time it was due, between records, after the
// record that moved stream time on; timers that are due together come in order of
// time and encoded key. What f forwards and writes has the time that the timer was
// due, and no headers. An error ends the task, like that of a punctuation. Only one
// processor opens a store of timers.
func (t *Task) Timers[K any](s TimerStore[K], f func(key K, due time.Time) error) *Timers[K] {
	open, st := t.opened(s.Name())
	if st == nil {
		return nil
	}
	timers, ok := open.(*cache.Timers[K])
	if !ok {
		t.reject(st, "timer", "Timers")
		return nil
	}
	call := func(key K, due int64) error {
		*t.now = due
		return Failed(t.node, f(key, time.UnixMilli(due).UTC()))
	}
	if f != nil && !timers.OnFire(call) {
		t.task.Reject(&topology.BuildError{At: t.node.At, Problem: "timers " + strconv.Quote(s.Name()) + " are opened twice; give each processor timers of its own"})
	}
	return &Timers[K]{rows: rows{task: t.task, spec: st, now: t.now}, timers: timers}
}

// Set sets the timer of a key, in the place of the one it had. It is due once, when
// the time is at or later; if it is already, right after the record in process.
func (s *Timers[K]) Set(key K, at time.Time) error {
	return s.timers.Set(key, cache.Ring{Due: at.UnixMilli()}, *s.now)
}

// SetEvery is Set for a timer that is due at first, and again after each interval of
// at least a millisecond, until it is cancelled or set anew.
func (s *Timers[K]) SetEvery(key K, first time.Time, every time.Duration) error {
	return s.timers.Set(key, cache.Ring{Due: first.UnixMilli(), Every: max(1, every.Milliseconds())}, *s.now)
}

// Cancel removes the timer of a key; it is no error if there is none.
func (s *Timers[K]) Cancel(key K) error { return s.timers.Cancel(key, *s.now) }

// Due returns when the timer of a key is due next, and whether there is one.
func (s *Timers[K]) Due(key K) (at time.Time, ok bool, err error) {
	r, ok, err := s.timers.Find(key)
	return time.UnixMilli(r.Due).UTC(), ok, err
}

// All yields every key with a timer and when that is due, in the order of the
// encoded keys. Like [KeyValue.All] it sees them as they were when the loop began.
func (s *Timers[K]) All() iter.Seq2[K, time.Time] {
	return func(yield func(K, time.Time) bool) {
		all, err := s.timers.All()
		s.failed(err)
		for _, p := range all {
			if !yield(p.Key, time.UnixMilli(p.Value.Due).UTC()) {
				return
			}
		}
	}
}

// Err is the first error of an iteration, nil if all went well.
func (s *Timers[K]) Err() error { return s.err }
