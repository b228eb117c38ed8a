package stream

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// Sessioned is a grouped stream cut into sessions. The key of a row holds the
// times of the session's first and last record, and the last one is the row's
// time; rows have no headers. When a record extends a session or joins two, their
// rows are deleted and one of the new span takes their place. A record that would
// make a session that is closed already (stream time is past its end plus gap and
// grace) is dropped and counted, reason "late".
type Sessioned[K, V any] struct {
	g Grouped[K, V]
	w window.Sessions
}

// Count counts the records of each session, also those without a value.
func (s Sessioned[K, V]) Count[S state.Of[K, int64]](as S) table.Table[window.Key[K], int64] {
	return s.fold("Count", state.Store[K, int64](as),
		func() int64 { return 0 }, counting[K, V],
		func(_ K, a, b int64, _ bool) int64 { return a + b })
}

// Reduce combines the values of each session: f(row, value) for a further
// record, f(earlier, later) for two sessions that become one.
func (s Sessioned[K, V]) Reduce[S state.Of[K, V]](as S, f func(row, value V) V) table.Table[window.Key[K], V] {
	or := reducing[K](f)
	return s.fold("Reduce", state.Store[K, V](as),
		func() V { var none V; return none }, or,
		func(k K, a, b V, had bool) V { return or(k, b, a, had) })
}

// Aggregate combines the values of each session into a row: init() begins it,
// add(key, value, row) takes in a record, and merge(key, a, b) makes one row of
// those of an earlier and a later session. A merge begins with init() as a.
func (s Sessioned[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add func(K, V, A) A, merge func(key K, a, b A) A) table.Table[window.Key[K], A] {
	return s.fold("Aggregate", as, init,
		func(k K, v V, row A, _ bool) A { return add(k, v, row) },
		func(k K, a, b A, _ bool) A { return merge(k, a, b) })
}

// merger makes one row of two; had is false if the first is init's.
type merger[K, A any] func(k K, a, b A, had bool) A

func (s Sessioned[K, V]) fold[A any](op string, as state.Store[K, A], init func() A, add folder[K, V, A], merge merger[K, A]) table.Table[window.Key[K], A] {
	in := s.g.in
	a := sessionAggregation(op, dsl.Caller(), as, s.w, s.g.emit)
	a.inputs, a.feed = []*topology.Node{in.Node}, sessionFeed(in, s.w, "", init, add, merge)
	return table.Table[window.Key[K], A](dsl.NewTable(a.build(in.B)))
}

// sessionAggregation is an aggregation in sessions, but for its inputs.
func sessionAggregation[K, A any](op, at string, as state.Store[K, A], w window.Sessions, emit dsl.Emission) cellAggregation[K, A] {
	return cellAggregation[K, A]{
		op: op, at: at, emit: emit, store: as, kind: topology.Session, retention: w.RetentionMS(), closesAt: w.ClosesAt,
	}
}

// sessionFeed subscribes an aggregation in sessions to one of its inputs, which
// has a stream time of its own by the given name.
func sessionFeed[K, V, A any](in *dsl.StreamDef[K, V], win window.Sessions, clock string, init func() A, add folder[K, V, A], merge merger[K, A]) func(*task.Task, *topology.Node, *cells[K, A]) {
	return func(t *task.Task, n *topology.Node, c *cells[K, A]) {
		s := &sessions[K, V, A]{cells: c, win: win, init: init, add: add, merge: merge, likeKafka: in.B.LikeKafka, streamTime: t.Time(n.Label() + clock)}
		in.Out(t).Subscribe(n, s.record)
		dsl.OnTime(t, s.streamTime, func() error { return s.closed(*s.streamTime) })
	}
}

// sessions is an input of a session aggregation in a task. Its add and merge are
// told whether the row they are given holds a record yet.
type sessions[K, V, A any] struct {
	*cells[K, A]
	win        window.Sessions
	init       func() A
	add        folder[K, V, A]
	merge      merger[K, A]
	likeKafka  bool
	streamTime *int64
}

func (s *sessions[K, V, A]) record(r dsl.Record[K, V]) error {
	if dropped(s.task, s.label, r.KeyNull, false) {
		return nil
	}
	*s.streamTime = max(*s.streamTime, r.Time)
	if err := s.closing(*s.streamTime); err != nil {
		return err
	}
	row, err := s.Row(r.Key)
	if err != nil {
		return err
	}
	span, first, end := s.overlapping(row, r.Time)
	if s.win.Late(span.EndMS, *s.streamTime) {
		s.task.Drop(s.label, task.DropLate)
		return s.closed(*s.streamTime)
	}
	s.meta = *s.task.Meta()
	s.meta.Headers = nil // a session is of many records
	acc := s.init()
	for i := first; i < end; i++ {
		acc = s.merge(r.Key, acc, row.Cells[i].Value, i > first)
	}
	acc = s.add(r.Key, r.Value, acc, end > first)
	if !s.update {
		s.replace(row, first, end, span, acc)
	} else if err := s.emitUpdate(row, first, end, span, acc); err != nil {
		return err
	}
	return s.closed(*s.streamTime)
}

// overlapping finds the sessions [first, end) of the row that a record of the
// given time joins, and the span of all together. Sessions of a key never
// overlap, so those that join are neighbours.
func (s *sessions[K, V, A]) overlapping(row *cache.Row[K, A], ts int64) (span window.Span, first, end int) {
	span = window.Span{StartMS: ts, EndMS: ts}
	first = len(row.Cells)
	for i := len(row.Cells) - 1; i >= 0; i-- {
		c := &row.Cells[i]
		if c.Time < s.Oldest() {
			break
		}
		old := s.span(c)
		if s.win.Joins(old, ts) {
			if end == 0 {
				end = i + 1
			}
			first = i
			span = span.Union(old)
		} else if old.EndMS < ts {
			break
		}
	}
	return span, first, max(end, first)
}

// replace puts the new session in the place of those it is made of.
func (s *sessions[K, V, A]) replace(row *cache.Row[K, A], first, end int, span window.Span, acc A) {
	if end-first != 1 || s.span(&row.Cells[first]) != span {
		s.Remove(row, first, end)
	}
	s.put(row, span, span.EndMS, acc)
}

// emitUpdate tells of the change at once: the old rows go, then the new one
// comes. A session that keeps its span goes and comes too, as in Kafka Streams,
// but for one of a single moment. Who looks the rows up meanwhile finds what was
// told so far.
func (s *sessions[K, V, A]) emitUpdate(row *cache.Row[K, A], first, end int, span window.Span, acc A) error {
	now := dsl.Change[window.Key[K], A]{
		Key: window.Key[K]{Key: row.Key, Span: span}, New: acc, HasNew: !s.None(acc),
		Time: span.EndMS, Meta: &s.meta,
	}
	var gone []dsl.Change[window.Key[K], A]
	for _, c := range row.Cells[first:end] {
		old := s.span(&c)
		if old == span && span.StartMS == span.EndMS {
			if !s.likeKafka { // which doesn't know
				now.Old, now.HasOld = c.Value, true
			}
			continue
		}
		gone = append(gone, dsl.Change[window.Key[K], A]{
			Key: window.Key[K]{Key: row.Key, Span: old}, Old: c.Value, HasOld: true,
			Time: c.Time, Meta: &s.meta,
		})
	}
	if len(gone) > 0 {
		s.Remove(row, first, end)
	}
	for _, c := range gone {
		if err := s.port.Emit(c); err != nil {
			return err
		}
	}
	s.put(row, span, span.EndMS, acc)
	return s.port.Emit(now)
}
