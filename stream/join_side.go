package stream

import (
	"sort"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/minheap"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/window"
)

// streamJoin is what the two sides of a join of streams share in a task.
type streamJoin[K, VR any] struct {
	task  *task.Task
	label string
	port  *dsl.Port[dsl.Record[K, VR]]
	time  *int64 // stream time over both sides
	// records numbers what is stored, so that it is stored without being looked
	// up first. The number belongs to the committed offsets: a record that is
	// processed again after a crash overwrites itself.
	records *int64
	outer   bool // somebody waits
	kafka   *kafkaJoin
	hidden  int64
	blind   bool // under LikeKafka, with no window at all: nothing is found
	ready   bool
	closes  int64             // stream time at which the next one that waits is closed
	sides   [2]waitingSide[K] // right and left
}

func newStreamJoin[K, VR any](t *task.Task, n *topology.Node, b *dsl.Builder, kind side) *streamJoin[K, VR] {
	label := n.Label()
	j := &streamJoin[K, VR]{
		task: t, label: label, port: dsl.NewPort[dsl.Record[K, VR]](t, n),
		time: t.Time(label), records: t.Time(label + "/records"), outer: kind != inner, closes: never,
	}
	if b.LikeKafka {
		j.kafka = newKafkaJoin(b.UnmatchedIntervalMS)
	}
	return j
}

// joinSide is one side of a join of streams in a task: the records of V, which
// are joined with those of O.
type joinSide[K, V, O, VR any] struct {
	*streamJoin[K, VR]
	outer  bool // its records give a result alone
	window window.Join
	f      joinFunc[K, V, O, VR]
	isNull func(V) bool
	rows   *cache.Rows[K, sided[V]]
	other  *joinSide[K, O, V, VR]

	pending minheap.Heap[waiting[K]]
	waits   map[waitingID]*V // those of pending that still do; with their values under LikeKafka
}

func newJoinSide[K, V, O, VR any](j *streamJoin[K, VR], rows *cache.Rows[K, sided[V]], w window.Join, outer bool, f joinFunc[K, V, O, VR]) *joinSide[K, V, O, VR] {
	return &joinSide[K, V, O, VR]{
		streamJoin: j, outer: outer, window: w, f: f, isNull: null.Test[V](), rows: rows, waits: map[waitingID]*V{},
	}
}

// on takes a record of this side: what waited in vain is told, the record is
// joined with the other side's, and kept for those to come.
func (s *joinSide[K, V, O, VR]) on(r dsl.Record[K, V]) error {
	if err := s.observe(r.Time); err != nil {
		return err
	}
	noValue := s.isNull != nil && s.isNull(r.Value)
	if r.KeyNull && !noValue && s.outer {
		return s.port.Emit(valued(r, s.f(r.Key, r.Value, true, none[O](), false))) // it can have no match
	}
	if dropped(s.task, s.label, r.KeyNull, noValue) {
		return nil
	}
	if err := s.unmatched(r.Time, s.window.AfterMS(), s.window.GraceMS()); err != nil {
		return err
	}
	matched, err := s.match(r)
	if err != nil {
		return err
	}
	waits := !matched && s.outer
	if waits && s.hopeless(r.Time) {
		waits = false
		if err := s.emit(r.Key, s.f(r.Key, r.Value, true, none[O](), false), r.Time); err != nil {
			return err
		}
	}
	return s.keep(r, waits)
}

// match joins a record with those that are kept of the other side.
func (s *joinSide[K, V, O, VR]) match(r dsl.Record[K, V]) (matched bool, err error) {
	if s.blind {
		return false, nil
	}
	others, err := s.other.rows.Row(r.Key)
	if err != nil {
		return false, err
	}
	lo, hi := s.reach(r.Time)
	for i := from(others, max(lo, s.other.oldest())); i < len(others.Cells) && others.Cells[i].Time <= hi; i++ {
		matched = true
		c := others.Cells[i]
		if c.Value.waits {
			s.other.settle(others, c)
		}
		if err := s.emit(r.Key, s.f(r.Key, r.Value, true, c.Value.value, true), max(r.Time, c.Time)); err != nil {
			return true, err
		}
	}
	return matched, nil
}

// oldest is the lowest time of a record that can still be found.
func (s *joinSide[K, V, O, VR]) oldest() int64 { return s.rows.Oldest() + s.hidden }

// reach is the times of the other side's records that join one of time ts.
func (s *joinSide[K, V, O, VR]) reach(ts int64) (lo, hi int64) {
	lo, hi = s.window.Range(ts)
	if s.kafka != nil {
		hi = max(0, hi) // a record of time 0 joins what it shouldn't
	}
	return lo, hi
}

// hopeless reports whether it is not waited for a match of a record of time ts.
func (s *joinSide[K, V, O, VR]) hopeless(ts int64) bool {
	if s.kafka != nil {
		_, hi := s.reach(ts)
		return hi < *s.time
	}
	return s.window.Late(ts, *s.time)
}

// keep stores a record for those of the other side to come.
func (s *joinSide[K, V, O, VR]) keep(r dsl.Record[K, V], waits bool) error {
	row, err := s.rows.Slot(r.Key)
	if err != nil {
		return err
	}
	*s.records++
	sub := *s.records
	if waits {
		s.wait(row.Key, row.Encoded(), r.Time, sub, r.Value)
	}
	if r.Time < s.oldest() {
		s.task.Drop(s.label, task.DropLate)
		if !waits || s.rows.Expired(r.Time) {
			return nil
		}
	}
	s.rows.Put(row, r.Time, sub, sided[V]{value: r.Value, waits: waits})
	return nil
}

// settle takes the mark from a record that waited: it has joined one.
func (s *joinSide[K, V, O, VR]) settle(row *cache.Row[K, sided[V]], c cache.Cell[sided[V]]) {
	delete(s.waits, waitingID{row.Encoded(), c.Time, c.Sub})
	s.rows.Put(row, c.Time, c.Sub, sided[V]{value: c.Value.value})
}

func (j *streamJoin[K, VR]) emit(k K, v VR, at int64) error {
	return j.port.Emit(dsl.Record[K, VR]{Key: k, Value: v, Time: at, Meta: j.task.Meta()})
}

// observe moves stream time on, as every record does.
func (j *streamJoin[K, VR]) observe(ts int64) error {
	if !j.ready {
		j.ready = true
		for _, s := range j.sides {
			if err := s.recall(); err != nil {
				return err
			}
		}
	}
	*j.time = max(*j.time, ts)
	return nil
}

// none is the value of a side that has none.
func none[V any]() (v V) { return v }

// from is the index of the row's first cell that is not before lo.
func from[K, V any](row *cache.Row[K, V], lo int64) int {
	return sort.Search(len(row.Cells), func(i int) bool { return row.Cells[i].Time >= lo })
}
