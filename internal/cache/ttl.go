package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// life is what a store has whose rows are due for something at a time: to die, or
// to ring.
type life[K, V any] struct {
	line  timeline
	alarm *task.Alarm
	wall  bool
	ttl   int64 // milliseconds; 0: rows don't die
	// dueOf is when a row is due, -1 if never; ring is called then.
	dueOf func(e *Entry[K, V]) int64
	ring  func(e *Entry[K, V], now int64) error
	rung  bool // of this commit's flushes the first has dealt with what is due
}

// span is what a store of mortal rows knows of an entry.
type span struct {
	born   int64 // when it was written, by the wall clock
	hinted int64 // the due time of its hint in the database, -1 if none
	queued int64 // the earliest due time of its hints in the heap, or task.Never
}

// duePerCall is how many rows are dealt with at a time, so that a jump of time
// doesn't stop the task. What is left waits for the next record, or the commit.
const duePerCall = 1000

// newLife is nil for a store whose rows stay.
func newLife[K, V any](s *KeyValue[K, V], spec *topology.Store) *life[K, V] {
	ttl := spec.TTL.Milliseconds()
	if ttl <= 0 {
		return nil
	}
	l := &life[K, V]{ttl: ttl, wall: spec.WallTTL, ring: s.bury}
	l.dueOf = func(e *Entry[K, V]) int64 {
		if l.wall {
			return max(e.span.born+ttl, 0)
		}
		return max(e.Time+ttl, 0)
	}
	return l
}

// attachLife opens the index, when the store is.
func (s *KeyValue[K, V]) attachLife(db store.DB) (err error) {
	if s.life == nil {
		return nil
	}
	if s.life.line, err = openTimeline(db, s.spec.Name); err != nil {
		return err
	}
	s.life.alarm = s.task.Alarm(s.life.wall, s.ringDue)
	s.life.alarm.Set(0) // look what there is
	return nil
}

// clockNow is the time that the store's rows live by.
func (s *KeyValue[K, V]) clockNow() int64 {
	if s.life.wall {
		return s.task.Now().UnixMilli()
	}
	return s.task.StreamTime()
}

// mortal reports whether rows die.
func (s *KeyValue[K, V]) mortal() bool { return s.life != nil && s.life.ttl > 0 }

// dead reports whether the life of an entry's row is over, though it is still
// there.
func (s *KeyValue[K, V]) dead(e *Entry[K, V]) bool {
	return e.OK && s.mortal() && s.life.dueOf(e) <= s.clockNow()
}

// Renew is to be called with an entry that is going to be written, or is read as
// what was there before: if its row is dead, that is told first, and it is gone.
func (s *KeyValue[K, V]) Renew(e *Entry[K, V]) error {
	if s.life == nil || !s.dead(e) {
		return nil
	}
	return s.bury(e, s.clockNow())
}

// OnGone adds a function that is told of rows that die, or have to make room. time
// is when it happened by the time they live by.
func (s *KeyValue[K, V]) OnGone(f func(k K, v V, time int64) error) { s.gone = append(s.gone, f) }

// OnDeath sets the function that tells the nodes after a table of a deletion that no
// record asked for.
func (s *KeyValue[K, V]) OnDeath(f func(e *Entry[K, V], old V) error) { s.died = f }

// bury deletes a dead row and tells of it.
func (s *KeyValue[K, V]) bury(e *Entry[K, V], _ int64) error {
	at := e.Time
	if s.life != nil {
		at = s.life.dueOf(e)
	}
	return s.remove(e, at)
}

// remove deletes a row for a reason of the store's own.
func (s *KeyValue[K, V]) remove(e *Entry[K, V], at int64) error {
	if err := s.Touch(e); err != nil {
		return err
	}
	old := e.Value
	s.Delete(e, at)
	if s.died != nil {
		if err := s.died(e, old); err != nil {
			return err
		}
	}
	for _, f := range s.gone {
		if err := f(e.Key, old, at); err != nil {
			return err
		}
	}
	return nil
}

// lived notes that an entry changed.
func (s *KeyValue[K, V]) lived(e *Entry[K, V]) {
	l := s.life
	if l.wall && l.ttl > 0 {
		s.spanOf(e).born = s.task.Now().UnixMilli()
	}
	if !e.OK {
		return
	}
	due := l.dueOf(e)
	if due < 0 || due >= s.spanOf(e).queued {
		return // the hint that is there comes first, and is looked into
	}
	e.span.queued = due
	l.line.changed(hint{due, e.key})
	if due < l.alarm.Due() {
		l.alarm.Set(due)
	}
}

// spanOf is the entry's span.
func (s *KeyValue[K, V]) spanOf(e *Entry[K, V]) *span {
	if e.span == nil {
		e.span = &span{hinted: -1, queued: task.Never}
	}
	return e.span
}

// settle notes what hint the database is to have, when an entry is flushed.
func (s *KeyValue[K, V]) settle(e *Entry[K, V]) {
	sp, has := s.spanOf(e), int64(-1)
	if e.OK {
		has = s.life.dueOf(e)
	}
	s.life.line.move(e.key, sp.hinted, has)
	sp.hinted, sp.queued = has, task.Never
}

// ringDue deals with what is due.
func (s *KeyValue[K, V]) ringDue(now int64) error {
	l := s.life
	for range duePerCall {
		h, ok, err := l.line.pop(now)
		if err != nil {
			return s.fail(task.FailedStore, fmt.Errorf("find what is due: %w", err))
		}
		if !ok {
			break
		}
		if err := s.ringOne(h, now); err != nil {
			return err
		}
	}
	if l.line.due() <= now {
		s.task.RequestCommit() // which goes on with it
	}
	l.alarm.Set(l.line.due())
	return nil
}

func (s *KeyValue[K, V]) ringOne(h hint, now int64) error {
	e := s.entries[h.key]
	if e == nil {
		var err error
		if e, err = s.load([]byte(h.key)); err != nil {
			return err
		}
	}
	sp := s.spanOf(e)
	if sp.queued == h.due {
		sp.queued = task.Never
	}
	due := int64(-1)
	if e.OK {
		due = s.life.dueOf(e)
	}
	if due == h.due {
		return s.life.ring(e, now)
	}
	// The row has changed, and the hint is an old one.
	if sp.hinted != h.due {
		s.life.line.move(h.key, h.due, -1)
	}
	if due >= 0 && due < sp.queued && sp.hinted != due {
		sp.queued = due
		s.life.line.changed(hint{due, h.key})
	}
	return nil
}

// bornOf is the time of writing in a value that was stored, after the row's time.
func bornOf(value []byte) int64 {
	if len(value) < 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(value[8:]))
}

// bornLen is the bytes that the time of writing takes in a stored value.
func (s *KeyValue[K, V]) bornLen() int {
	if s.life != nil && s.life.wall && s.life.ttl > 0 {
		return 8
	}
	return 0
}

// revive completes an entry that was loaded with its stored value, nil if there is
// none.
func (s *KeyValue[K, V]) revive(e *Entry[K, V], value []byte) {
	sp := s.spanOf(e)
	if s.bornLen() > 0 {
		sp.born = bornOf(value)
	}
	if e.OK {
		sp.hinted = s.life.dueOf(e)
	}
}

// goOn deals with what is due and was left, at a commit.
func (s *KeyValue[K, V]) goOn() error {
	now := s.clockNow()
	if s.life.rung || s.life.line.due() > now {
		return nil
	}
	s.life.rung = true
	return s.ringDue(now)
}

// hintRestored notes the hint of the row that was restored last.
func (s *KeyValue[K, V]) hintRestored(key []byte) {
	e := &Entry[K, V]{cached: cached{key: string(key)}, OK: true}
	value := s.pending[len(s.pending)-1].value
	var err error
	if e.Value, e.Time, err = s.decode(value); err != nil {
		return // it will fail when somebody reads it
	}
	s.revive(e, value)
	s.life.line.move(e.key, -1, e.span.hinted)
}

// persistLife adds the index to the batch.
func (s *KeyValue[K, V]) persistLife(b *store.Batch) {
	l := s.life
	l.rung = false
	l.line.persist(b)
	for _, e := range s.dirty {
		s.spanOf(e).queued = task.Never
		s.lived(e)
	}
	l.alarm.Set(l.line.due())
}
