package stream

import (
	"slices"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// Sessioned is a grouped stream cut into sessions. The key of a row holds the
// times of the session's first and last record. When a record extends a session
// or joins two, their rows are deleted and one of the new span takes their
// place. A record that would make a session that is closed already (stream time
// is past its end plus gap and grace) is dropped and counted, reason "late".
type Sessioned[K, V any] struct {
	g Grouped[K, V]
	w window.Sessions
}

// Count counts the records of each session.
func (s Sessioned[K, V]) Count(as state.Store[K, int64]) table.Table[window.Key[K], int64] {
	return s.fold("Count", as,
		func() int64 { return 0 },
		func(_ K, _ V, n int64, _ bool) int64 { return n + 1 },
		func(_ K, a, b int64, _ bool) int64 { return a + b })
}

// Reduce combines the values of each session: f(row, value) for a further
// record, f(earlier, later) for two sessions that become one.
func (s Sessioned[K, V]) Reduce(as state.Store[K, V], f func(row, value V) V) table.Table[window.Key[K], V] {
	or := func(row, v V, had bool) V {
		if !had {
			return v
		}
		return f(row, v)
	}
	return s.fold("Reduce", as,
		func() V { var none V; return none },
		func(_ K, v, row V, had bool) V { return or(row, v, had) },
		func(_ K, a, b V, had bool) V { return or(a, b, had) })
}

// Aggregate combines the values of each session into a row: init() begins it,
// add(key, value, row) takes in a record, and merge(key, a, b) makes one row of
// those of an earlier and a later session. A merge begins with init() as a.
func (s Sessioned[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add func(K, V, A) A, merge func(key K, a, b A) A) table.Table[window.Key[K], A] {
	return s.fold("Aggregate", as, init,
		func(k K, v V, row A, _ bool) A { return add(k, v, row) },
		func(k K, a, b A, _ bool) A { return merge(k, a, b) })
}

// fold makes the node. add and merge are told whether the row they are given
// holds a record yet.
func (s Sessioned[K, V]) fold[A any](op string, as state.Store[K, A], init func() A, add folder[K, V, A], merge func(k K, a, b A, had bool) A) table.Table[window.Key[K], A] {
	at := dsl.Caller()
	in, win := s.g.in, s.w
	retention := win.RetentionMS()
	st := state.Use(in.B, as, topology.Session, time.Duration(retention)*time.Millisecond, at)
	d := &dsl.TableDef[window.Key[K], A]{B: in.B, WantOld: func() {}}
	d.Node = in.B.Add(topology.Node{
		Op: op, Name: st.Name, Kind: topology.Processor, At: at,
		Inputs: []*topology.Node{in.Node}, Stores: []*topology.Store{st},
	}, func(t *task.Task, n *topology.Node) {
		a := &sessions[K, V, A]{
			task: t, label: n.Label(), win: win, init: init, add: add, merge: merge,
			port: dsl.NewPort[dsl.Change[window.Key[K], A]](t, n), update: s.g.emit == dsl.OnUpdate, streamTime: t.Time(n.Label()),
			isNull: null.Test[A](),
		}
		spec := cache.RowSpec[K, A]{Store: st, Label: a.label, Key: as.Key(), Value: as.Value(), Retention: retention}
		if !a.update {
			spec.Changed = a.changed
		}
		a.rows = cache.OpenRows(t, spec)
		in.Out(t).Subscribe(n, a.record)
	})
	return table.Table[window.Key[K], A](dsl.NewTable(d))
}

// sessions is a session aggregation in a task.
type sessions[K, V, A any] struct {
	task       *task.Task
	label      string
	win        window.Sessions
	init       func() A
	add        folder[K, V, A]
	merge      func(k K, a, b A, had bool) A
	rows       *cache.Rows[K, A]
	port       *dsl.Port[dsl.Change[window.Key[K], A]]
	update     bool
	streamTime *int64
	isNull     func(A) bool // nil if no A is null
	meta       record.Meta  // of results: a session is of many records, so without headers
}

func (s *sessions[K, V, A]) record(r dsl.Record[K, V]) error {
	if dropped(s.task, s.label, r.KeyNull, false) {
		return nil
	}
	*s.streamTime = max(*s.streamTime, r.Time)
	row, err := s.rows.Row(r.Key)
	if err != nil {
		return err
	}
	span, first, end := s.overlapping(row, r.Time)
	if s.win.Late(span.EndMS, *s.streamTime) {
		s.task.Drop(s.label, task.DropLate)
		return nil
	}
	s.meta = *s.task.Meta()
	s.meta.Headers = nil
	acc := s.init()
	for i := first; i < end; i++ {
		acc = s.merge(r.Key, acc, row.Cells[i].Value, i > first)
	}
	acc = s.add(r.Key, r.Value, acc, end > first)
	if s.update {
		return s.emitUpdate(row, first, end, span, acc)
	}
	s.replace(row, first, end, span, acc)
	return nil
}

// overlapping finds the sessions [first, end) of the row that a record of the
// given time joins, and the span of all together. Sessions of a key never
// overlap, so those that join are neighbours.
func (s *sessions[K, V, A]) overlapping(row *cache.Row[K, A], ts int64) (span window.Span, first, end int) {
	span = window.Span{StartMS: ts, EndMS: ts}
	first = len(row.Cells)
	for i := len(row.Cells) - 1; i >= 0; i-- {
		c := &row.Cells[i]
		if c.Time < s.rows.Oldest() {
			break
		}
		old := window.Span{StartMS: c.Sub, EndMS: c.Time}
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
	if s.none(acc) {
		// It is put for a moment, since it moves the store's time.
		s.rows.Remove(row, first, end)
		s.rows.Put(row, span.EndMS, span.StartMS, acc)
		i := slices.IndexFunc(row.Cells, func(c cache.Cell[A]) bool { return c.Time == span.EndMS && c.Sub == span.StartMS })
		s.rows.Remove(row, i, i+1)
		return
	}
	if end-first != 1 || row.Cells[first].Time != span.EndMS || row.Cells[first].Sub != span.StartMS {
		s.rows.Remove(row, first, end)
	}
	s.rows.Put(row, span.EndMS, span.StartMS, acc)
}

// none reports whether a row is null: there is no session then.
func (s *sessions[K, V, A]) none(acc A) bool { return s.isNull != nil && s.isNull(acc) }

// emitUpdate tells of the change at once: the old rows go, then the new one
// comes. A session that keeps its span goes and comes too, as in Kafka Streams,
// but for one of a single moment.
func (s *sessions[K, V, A]) emitUpdate(row *cache.Row[K, A], first, end int, span window.Span, acc A) error {
	now := dsl.Change[window.Key[K], A]{
		Key: window.Key[K]{Key: row.Key, Span: span}, New: acc, HasNew: !s.none(acc),
		Time: span.EndMS, Meta: &s.meta,
	}
	var gone []dsl.Change[window.Key[K], A]
	for _, c := range row.Cells[first:end] {
		old := window.Span{StartMS: c.Sub, EndMS: c.Time}
		if old == span && span.StartMS == span.EndMS {
			now.Old, now.HasOld = c.Value, true
			continue
		}
		gone = append(gone, dsl.Change[window.Key[K], A]{
			Key: window.Key[K]{Key: row.Key, Span: old}, Old: c.Value, HasOld: true,
			Time: c.Time, Meta: &s.meta,
		})
	}
	s.replace(row, first, end, span, acc)
	for _, c := range append(gone, now) {
		if err := s.port.Emit(c); err != nil {
			return err
		}
	}
	return nil
}

// changed forwards a cell's change at the commit.
func (s *sessions[K, V, A]) changed(row *cache.Row[K, A], c *cache.Cell[A]) error {
	return s.port.Emit(dsl.Change[window.Key[K], A]{
		Key: window.Key[K]{Key: row.Key, Span: window.Span{StartMS: c.Sub, EndMS: c.Time}},
		New: c.Value, HasNew: c.OK, Old: c.Old, HasOld: c.HadOld,
		Time: c.Time, Meta: s.task.Meta(),
	})
}
