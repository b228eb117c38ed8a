package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/window"
)

// folder computes a row from what it was; had is false if there was none.
type folder[K, V, A any] func(k K, v V, row A, had bool) A

// counting is the folder of Count.
func counting[K, V any](_ K, _ V, n int64, _ bool) int64 { return n + 1 }

// zero is what a count begins as.
func zero[A any]() (none A) { return none }

// reducing is the folder of Reduce.
func reducing[K, V any](f func(row, value V) V) folder[K, V, V] {
	return func(_ K, v, row V, had bool) V {
		if !had {
			return v
		}
		return f(row, v)
	}
}

// adding is the folder of Aggregate.
func adding[K, V, A any](init func() A, add func(K, V, A) A) folder[K, V, A] {
	return func(k K, v V, row A, had bool) A {
		if !had {
			row = init()
		}
		return add(k, v, row)
	}
}

// windowFeed subscribes an aggregation in fixed windows to one of its inputs,
// which has a stream time of its own by the given name.
func windowFeed[K, V, A any](in *dsl.StreamDef[K, V], win window.Fixed, clock string, f folder[K, V, A]) func(*task.Task, *topology.Node, *dsl.Rows[window.Key[K], A]) {
	return func(t *task.Task, n *topology.Node, rows *dsl.Rows[window.Key[K], A]) {
		w := &windowInput[K, V, A]{task: t, label: n.Label(), win: win, rows: rows, f: f, streamTime: t.Time(n.Label() + clock)}
		in.Out(t).Subscribe(n, w.record)
		dsl.OnTime(t, w.streamTime, func() error { return rows.Closed(*w.streamTime) })
	}
}

// windowInput is an input of an aggregation in fixed windows.
type windowInput[K, V, A any] struct {
	task       *task.Task
	label      string
	win        window.Fixed
	rows       *dsl.Rows[window.Key[K], A]
	f          folder[K, V, A]
	streamTime *int64
}

func (w *windowInput[K, V, A]) record(r dsl.Record[K, V]) error {
	if dropped(w.task, w.label, r.KeyNull, false) {
		return nil
	}
	*w.streamTime = max(*w.streamTime, r.Time)
	if err := w.rows.Closing(*w.streamTime); err != nil {
		return err
	}
	span, n := w.win.First(r.Time)
	if n == 0 {
		if err := w.win.Misfit(r.Time); err != nil {
			return err
		}
		w.task.Drop(w.label, task.DropNoWindow)
	}
	for ; n > 0; n-- {
		if w.win.Late(span.EndMS, *w.streamTime) {
			w.task.Drop(w.label, task.DropLate)
		} else if err := w.update(window.Key[K]{Key: r.Key, Span: span}, &r); err != nil {
			return err
		}
		span = w.win.Next(span)
	}
	return w.rows.Closed(*w.streamTime)
}

// update folds a record into the row of one window.
func (w *windowInput[K, V, A]) update(k window.Key[K], r *dsl.Record[K, V]) error {
	e, err := w.rows.Begin(k)
	if err != nil {
		return err
	}
	row, had, at := e.Value, e.OK, w.rows.Later(e, r.Time)
	if had && !w.rows.Visible(e) {
		// Other inputs have moved the store's time beyond this window.
		row, had, at = *new(A), false, r.Time
	}
	return w.rows.Put(e, w.f(r.Key, r.Value, row, had), at)
}

// plainFeed subscribes an aggregation without windows to one of its inputs.
func plainFeed[K, V, A any](in *dsl.StreamDef[K, V], f folder[K, V, A]) func(*task.Task, *topology.Node, *dsl.Rows[K, A]) {
	return func(t *task.Task, n *topology.Node, rows *dsl.Rows[K, A]) {
		isNull, label := null.Test[V](), n.Label()
		in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
			if dropped(t, label, r.KeyNull, isNull != nil && isNull(r.Value)) {
				return nil
			}
			e, err := rows.Begin(r.Key)
			if err != nil {
				return err
			}
			at := rows.Later(e, r.Time)
			return rows.Put(e, f(r.Key, r.Value, e.Value, e.OK), at)
		})
	}
}

// dropped counts a record without a key or value.
func dropped(t *task.Task, label string, noKey, noValue bool) bool {
	if noKey {
		t.Drop(label, task.DropNullKey)
	} else if noValue {
		t.Drop(label, task.DropNullValue)
	}
	return noKey || noValue
}
