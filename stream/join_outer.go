package stream

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/leatstream/leat/internal/cache"
)

// never is the stream time of what doesn't happen.
const never = math.MaxInt64

// waitingSide is a side of a join as to its records that have joined none yet,
// whatever their type.
type waitingSide[K any] interface {
	// recall finds those that waited when the task was closed.
	recall() error
	// first is the earliest one, nil if there is none.
	first() *waiting[K]
	// closed is the stream time at which one of time ts is closed.
	closed(ts int64) int64
	// all appends every one.
	all(to []waiting[K]) []waiting[K]
	// release gives the result of one.
	release(w waiting[K]) error
	// drop takes the first away.
	drop()
}

// silence gives the results of records that waited in vain, when time goes on
// without a record.
func (j *streamJoin[K, VR]) silence() error {
	if err := j.observe(*j.time); err != nil {
		return err
	}
	return j.unmatched(*j.time, 0, 0)
}

// unmatched gives the results of records that waited in vain, before a record of
// time ts is processed.
func (j *streamJoin[K, VR]) unmatched(ts, after, grace int64) error {
	if !j.outer {
		return nil
	}
	if j.kafka != nil {
		if ts != *j.time || !j.kafka.due(j.task.Now(), *j.time, after+grace) {
			return nil
		}
		return j.lookThrough(grace)
	}
	for *j.time >= j.closes {
		j.closes = never
		var next waitingSide[K]
		var first *waiting[K]
		for _, s := range j.sides {
			w := s.first()
			if w == nil {
				continue
			}
			if at := s.closed(w.time); at > *j.time {
				j.closes = min(j.closes, at)
				continue
			}
			// Of equal ones those of the right side, which is asked first.
			if first == nil || cmp.Or(cmp.Compare(w.time, first.time)) < 0 {
				next, first = s, w
			}
		}
		if first == nil {
			return nil
		}
		j.closes = min(j.closes, *j.time) // there may be more
		w := *first
		next.drop()
		if err := next.release(w); err != nil {
			return err
		}
	}
	return nil
}

// wait notes a record that has joined none.
func (s *joinSide[K, V, O, VR]) wait(k K, encoded string, ts, sub int64, v V) {
	id := waitingID{encoded, ts, sub}
	var value *V
	if s.kafka != nil {
		s.kafka.oldest = min(s.kafka.oldest, ts)
		value = &v
	}
	s.waits[id] = value
	s.pending.Push(waiting[K]{k, id})
	s.closes = min(s.closes, s.closed(ts))
}

func (s *joinSide[K, V, O, VR]) recall() error {
	if !s.outer {
		return nil
	}
	return s.rows.Stored(func(key K, encoded string, c cache.Cell[sided[V]]) {
		// One that has expired was told before it did.
		if c.Value.waits && !s.rows.Expired(c.Time) {
			s.wait(key, encoded, c.Time, c.Sub, c.Value.value)
		}
	})
}

func (s *joinSide[K, V, O, VR]) first() *waiting[K] {
	for len(s.pending) > 0 {
		if _, ok := s.waits[s.pending[0].waitingID]; ok {
			return &s.pending[0]
		}
		s.pending.Pop() // it has joined one since
	}
	return nil
}

func (s *joinSide[K, V, O, VR]) drop() { s.pending.Pop() }

func (s *joinSide[K, V, O, VR]) closed(ts int64) int64 { return s.window.ClosesAt(ts) }

func (s *joinSide[K, V, O, VR]) all(to []waiting[K]) []waiting[K] {
	for _, w := range s.pending {
		if _, ok := s.waits[w.waitingID]; ok {
			to = append(to, w)
		}
	}
	return to
}

func (s *joinSide[K, V, O, VR]) release(w waiting[K]) error {
	value := s.waits[w.waitingID]
	delete(s.waits, w.waitingID)
	row, err := s.rows.Row(w.key)
	if err != nil {
		return err
	}
	for i := from(row, w.time); i < len(row.Cells) && row.Cells[i].Time == w.time; i++ {
		if c := row.Cells[i]; c.Sub == w.sub {
			s.rows.Put(row, c.Time, c.Sub, sided[V]{value: c.Value.value})
			value = &c.Value.value
			break
		}
	}
	if value == nil {
		return nil
	}
	return s.emit(w.key, s.f(w.key, *value, true, none[O](), false), w.time)
}

// kafkaJoin is how Kafka Streams looks for records that have joined none.
type kafkaJoin struct {
	// oldest is the lowest timestamp of those that wait, as Kafka Streams
	// remembers it: too high after it has looked through windows of two lengths,
	// so that it looks too late the next time.
	oldest int64
	every  int64 // milliseconds
	next   int64 // wall-clock time, milliseconds since the epoch
}

func newKafkaJoin(everyMS int64) *kafkaJoin {
	return &kafkaJoin{oldest: never, every: everyMS}
}

// due reports whether it is time to look. The sum overflows if there is none, on
// purpose.
func (k *kafkaJoin) due(now time.Time, streamTime, wait int64) bool {
	ms := now.UnixMilli()
	if k.oldest+wait >= streamTime || ms < k.next {
		return false
	}
	k.next = ms + k.every
	k.oldest = never
	return true
}

// lookThrough is unmatched as Kafka Streams does it: it walks through all that
// wait until it has met one of either side that must go on waiting.
func (j *streamJoin[K, VR]) lookThrough(grace int64) error {
	type entry struct {
		waiting[K]
		side int
	}
	var entries []entry
	for i, s := range j.sides {
		for _, w := range s.all(nil) {
			entries = append(entries, entry{w, i})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.side, b.side), a.compare(b.waitingID))
	})
	var open [2]bool
	for _, e := range entries {
		j.kafka.oldest = e.time
		if open[0] && open[1] {
			break
		}
		if j.sides[e.side].closed(e.time) > *j.time {
			open[e.side] = true
			continue
		}
		if err := j.sides[e.side].release(e.waiting); err != nil {
			return err
		}
	}
	for _, s := range j.sides {
		s.first() // forgets those that were released, at the front
	}
	return nil
}
