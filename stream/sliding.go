package stream

import (
	"slices"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// SlidingBy aggregates each key in sliding windows: one for every set of records
// that lie at most the difference of w apart.
func (g Grouped[K, V]) SlidingBy(w window.Slides) Slid[K, V] {
	at := dsl.Caller()
	if err := w.Check(); err != nil {
		g.in.B.Fail(at, "SlidingBy: %v", err)
	}
	return Slid[K, V]{g, w}
}

// Slid is a grouped stream cut into sliding windows. A window [start, end] holds
// the records of a key from start to end, both within; there is one that ends
// with each record (or, for those of the first moments of 1970, the one that
// starts with it), and one that begins behind each, if it holds a record. A
// record changes every window it is in, and makes up to three new ones.
//
// A record of which every window is closed (stream time is past its time plus the
// difference and the grace), or one of its windows if that is closed, is dropped
// and counted, reason "late". Records without a key or with a nil value are
// dropped and counted (reasons "null-key" and "null-value"). The row of a window
// has the time of its latest record.
type Slid[K, V any] struct {
	g Grouped[K, V]
	w window.Slides
}

// Count counts the records of each key and window.
func (s Slid[K, V]) Count[S state.Of[K, int64]](as S) table.Table[window.Key[K], int64] {
	return s.fold("Count", state.Store[K, int64](as), counting[K, V], zero[int64])
}

// Reduce combines the values of each key and window, as Grouped.Reduce.
func (s Slid[K, V]) Reduce[S state.Of[K, V]](as S, f func(row, value V) V) table.Table[window.Key[K], V] {
	return s.fold("Reduce", state.Store[K, V](as), reducing[K](f), nil)
}

// Aggregate combines the values of each key and window, as Grouped.Aggregate. A
// window may begin with the row of another, so add is not called once for each
// record of it. It may change the row in place.
func (s Slid[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add func(K, V, A) A) table.Table[window.Key[K], A] {
	return s.fold("Aggregate", as, adding(init, add), init)
}

func (s Slid[K, V]) fold[A any](op string, as state.Store[K, A], f folder[K, V, A], born func() A) table.Table[window.Key[K], A] {
	in := s.g.in
	a := slidingAggregation(op, dsl.Caller(), as, s.w, s.g.emit)
	a.inputs, a.feed, a.born = []*topology.Node{in.Node}, slidingFeed(in, s.w, "", f), born
	return table.Table[window.Key[K], A](dsl.NewTable(a.build(in.B)))
}

// slidingAggregation is an aggregation in sliding windows, but for its inputs.
func slidingAggregation[K, A any](op, at string, as state.Store[K, A], w window.Slides, emit dsl.Emission) cellAggregation[K, A] {
	return cellAggregation[K, A]{
		op: op, at: at, emit: emit, store: as, kind: topology.Window, retention: w.RetentionMS(), byStart: true, closesAt: w.ClosesAt,
		endOf: func(start int64) int64 { return w.Span(start).EndMS },
	}
}

// slidingFeed subscribes an aggregation in sliding windows to one of its inputs,
// which has a stream time of its own by the given name.
func slidingFeed[K, V, A any](in *dsl.StreamDef[K, V], win window.Slides, clock string, f folder[K, V, A]) func(*task.Task, *topology.Node, *cells[K, A]) {
	return func(t *task.Task, n *topology.Node, c *cells[K, A]) {
		s := &sliding[K, V, A]{cells: c, win: win, f: f, isNull: null.Test[V](), streamTime: t.Time(n.Label() + clock)}
		in.Out(t).Subscribe(n, s.record)
		dsl.OnTime(t, s.streamTime, func() error { return s.closed(*s.streamTime) })
	}
}

// sliding is an input of an aggregation in sliding windows, in a task. Cells lie
// in the order of their windows' starts.
type sliding[K, V, A any] struct {
	*cells[K, A]
	win        window.Slides
	f          folder[K, V, A]
	isNull     func(V) bool // nil if no V is null
	streamTime *int64

	starts []int64 // of the windows that the record met
}

func (s *sliding[K, V, A]) record(r dsl.Record[K, V]) error {
	if dropped(s.task, s.label, r.KeyNull, s.isNull != nil && s.isNull(r.Value)) {
		return nil
	}
	*s.streamTime = max(*s.streamTime, r.Time)
	if err := s.closing(*s.streamTime); err != nil {
		return err
	}
	if s.win.Late(s.win.Span(r.Time).EndMS, *s.streamTime) {
		s.task.Drop(s.label, task.DropLate)
		return nil
	}
	row, err := s.Row(r.Key)
	if err != nil {
		return err
	}
	s.meta = *s.task.Meta()
	s.starts = s.starts[:0]
	if r.Time < s.win.DiffMS() {
		return s.early(row, &r)
	}
	if err := s.walk(row, &r); err != nil {
		return err
	}
	return s.closed(*s.streamTime)
}

// found is what the windows of a record say about its neighbours.
type found[A any] struct {
	left, right     seen[A] // the windows beside the record's own
	hasLeft         bool    // the window that ends with the record is there
	hasRight        bool    // the window that begins behind the record is there
	previous        int64   // time of the record before it
	previousIsKnown bool
}

// seen is a window's row before the record changed it.
type seen[A any] struct {
	row A
	at  int64
	ok  bool
}

// walk changes the windows that the record is in, from the last to the first,
// and makes those that are missing.
func (s *sliding[K, V, A]) walk(row *cache.Row[K, A], r *dsl.Record[K, V]) error {
	f, done, err := s.meet(row, r)
	if done || err != nil {
		return err
	}
	diff := s.win.DiffMS()
	if start := f.previous + 1; f.previousIsKnown && start+diff >= r.Time && !slices.Contains(s.starts, start) {
		if err := s.begin(row, start, r, seen[A]{}); err != nil {
			return err
		}
	}
	if !f.hasLeft {
		var left seen[A]
		if f.previousIsKnown && f.previous >= r.Time-diff {
			left = f.left
		}
		if err := s.begin(row, r.Time-diff, r, left); err != nil {
			return err
		}
	}
	if !f.hasRight && f.right.ok && f.right.at > r.Time {
		return s.copied(row, r.Time+1, f.right)
	}
	return nil
}

// meet changes the windows that are there. It is done if the window that ends
// with the record has one of its time already: then no window is missing.
func (s *sliding[K, V, A]) meet(row *cache.Row[K, A], r *dsl.Record[K, V]) (f found[A], done bool, err error) {
	oldest := max(s.Oldest(), 0, r.Time-2*s.win.DiffMS())
	for i := len(row.Cells) - 1; i >= 0; i-- {
		c := &row.Cells[i]
		if c.Time > r.Time+1 {
			continue
		}
		if c.Time < oldest {
			break
		}
		s.starts = append(s.starts, c.Time)
		switch end, at := c.Sub, c.At; {
		case c.Time == r.Time+1:
			f.hasRight = true
			continue
		case end > r.Time:
			if !f.right.ok {
				if f.right, err = s.see(c, at > r.Time); err != nil {
					return f, false, err
				}
			}
		case end == r.Time:
			f.hasLeft = true
			f.previous, f.previousIsKnown = at, true
		default:
			f.previous, f.previousIsKnown = at, true
			f.left, err = s.see(c, at >= r.Time-s.win.DiffMS())
			return f, false, err
		}
		if err := s.change(row, i, r); err != nil {
			return f, false, err
		}
		if f.hasLeft {
			if f.previous >= r.Time {
				return f, true, nil
			}
		}
	}
	return f, false, nil
}

// see remembers a window as it is; needed says that its row will be another
// one's too.
func (s *sliding[K, V, A]) see(c *cache.Cell[A], needed bool) (x seen[A], err error) {
	x = seen[A]{at: c.At, ok: true}
	if needed {
		x.row, err = s.own(c.Value)
	}
	return x, err
}

// early is for a record of the first moments after the epoch: as no window
// starts before that, all such records share the one that starts with it.
func (s *sliding[K, V, A]) early(row *cache.Row[K, A], r *dsl.Record[K, V]) error {
	f, first, err := s.meetEarly(row, r)
	if err != nil {
		return err
	}
	if !f.hasRight && f.right.ok && f.right.at > r.Time {
		if err := s.copied(row, r.Time+1, f.right); err != nil {
			return err
		}
	}
	if f.previousIsKnown && !slices.Contains(s.starts, f.previous+1) {
		if err := s.begin(row, f.previous+1, r, seen[A]{}); err != nil {
			return err
		}
	}
	if first {
		return s.change(row, s.index(row, 0), r)
	}
	return s.begin(row, 0, r, seen[A]{})
}

// meetEarly changes the windows that the record is in, from the first to the
// last, but for the one that starts at 0, if that is there.
func (s *sliding[K, V, A]) meetEarly(row *cache.Row[K, A], r *dsl.Record[K, V]) (f found[A], first bool, err error) {
	var shared seen[A]
	for i := 0; i < len(row.Cells); i++ {
		c := &row.Cells[i]
		if c.Time > r.Time+1 {
			break
		}
		if c.Time < s.Oldest() {
			continue
		}
		s.starts = append(s.starts, c.Time)
		switch {
		case c.Time == 0:
			first = true
			if shared, err = s.see(c, c.At > r.Time); err != nil {
				return f, first, err
			}
			if c.At < r.Time {
				f.previous, f.previousIsKnown = c.At, true
			}
		case c.Time == r.Time+1:
			f.hasRight = true
		default:
			if f.right, err = s.see(c, c.At > r.Time); err != nil {
				return f, first, err
			}
			n := len(row.Cells)
			if err := s.change(row, i, r); err != nil {
				return f, first, err
			}
			i -= n - len(row.Cells) // a null took the cell away
		}
	}
	if !f.right.ok && shared.ok && shared.at > r.Time {
		f.right = shared
	}
	return f, first, nil
}

// index finds the cell of the window that starts at start.
func (s *sliding[K, V, A]) index(row *cache.Row[K, A], start int64) int {
	return slices.IndexFunc(row.Cells, func(c cache.Cell[A]) bool { return c.Time == start })
}

// change folds the record into a window that is there.
func (s *sliding[K, V, A]) change(row *cache.Row[K, A], i int, r *dsl.Record[K, V]) error {
	c := &row.Cells[i]
	span := s.span(c)
	if s.win.Late(span.EndMS, *s.streamTime) {
		s.task.Drop(s.label, task.DropLate)
		return nil
	}
	old, err := s.old(c)
	if err != nil {
		return err
	}
	if err := s.Touch(row, i); err != nil {
		return err
	}
	at := max(c.At, r.Time)
	v := s.f(row.Key, r.Value, c.Value, true)
	s.put(row, span, at, v)
	return s.emit(row, span, at, v, seen[A]{row: old, ok: true})
}

// begin makes a window that holds the record and what another one held.
func (s *sliding[K, V, A]) begin(row *cache.Row[K, A], start int64, r *dsl.Record[K, V], from seen[A]) error {
	span := s.win.Span(start)
	if s.win.Late(span.EndMS, *s.streamTime) {
		s.task.Drop(s.label, task.DropLate)
		return nil
	}
	var old seen[A]
	switch {
	case s.kafka && from.ok:
		var err error
		if old, err = s.before(from); err != nil {
			return err
		}
	case s.born != nil:
		old.row, old.ok = s.born()
	}
	v := s.f(row.Key, r.Value, from.row, from.ok)
	s.put(row, span, r.Time, v)
	return s.emit(row, span, r.Time, v, old)
}

// before is what Kafka Streams takes for the old value of a window that begins with
// the row of another.
func (s *sliding[K, V, A]) before(from seen[A]) (old seen[A], err error) {
	old.ok = true
	old.row, err = s.own(from.row)
	return old, err
}

// copied makes a window of the records behind the one in process.
func (s *sliding[K, V, A]) copied(row *cache.Row[K, A], start int64, from seen[A]) error {
	span := s.win.Span(start)
	s.put(row, span, from.at, from.row)
	return s.emit(row, span, from.at, from.row, seen[A]{})
}

// emit tells of a change at once, if that is wanted.
func (s *sliding[K, V, A]) emit(row *cache.Row[K, A], span window.Span, at int64, v A, old seen[A]) error {
	if !s.update {
		return nil
	}
	return s.port.Emit(dsl.Change[window.Key[K], A]{
		Key: window.Key[K]{Key: row.Key, Span: span}, New: v, HasNew: !s.None(v),
		Old: old.row, HasOld: old.ok, Time: at, Meta: &s.meta,
	})
}
