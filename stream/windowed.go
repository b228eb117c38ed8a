package stream

import (
	"encoding/binary"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// Windowed is a grouped stream cut into tumbling or hopping windows. A record
// that comes when its window is closed (stream time has reached the window's end
// plus its grace) is dropped for that window and counted, reason "late". Stream
// time is the highest timestamp that the operator's task has seen.
type Windowed[K, V any] struct {
	g Grouped[K, V]
	w window.Fixed
}

// Count counts the records of each key and window.
func (w Windowed[K, V]) Count(as state.Store[K, int64]) table.Table[window.Key[K], int64] {
	return w.fold("Count", as, func(_ window.Key[K], _ V, n int64, _ bool) int64 { return n + 1 })
}

// Reduce combines the values of each key and window, as Grouped.Reduce.
func (w Windowed[K, V]) Reduce(as state.Store[K, V], f func(row, value V) V) table.Table[window.Key[K], V] {
	return w.fold("Reduce", as, func(_ window.Key[K], v V, row V, had bool) V {
		if !had {
			return v
		}
		return f(row, v)
	})
}

// Aggregate combines the values of each key and window, as Grouped.Aggregate.
func (w Windowed[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add func(K, V, A) A) table.Table[window.Key[K], A] {
	return w.fold("Aggregate", as, func(k window.Key[K], v V, row A, had bool) A {
		if !had {
			row = init()
		}
		return add(k.Key, v, row)
	})
}

func (w Windowed[K, V]) fold[A any](op string, as state.Store[K, A], f folder[window.Key[K], V, A]) table.Table[window.Key[K], A] {
	at := dsl.Caller()
	in, win := w.g.in, w.w
	retention := win.RetentionMS()
	st := state.Use(in.B, as, topology.Window, time.Duration(retention)*time.Millisecond, at)
	return table.Table[window.Key[K], A](dsl.NewTable(dsl.Aggregation[window.Key[K], A]{Op: op, At: at, Emit: w.g.emit, Input: in.Node,
		Spec: cache.Spec[window.Key[K], A]{
			Store: st, Key: window.KeySerde(as.Key()), Value: as.Value(),
			Layout: cache.Layout{Retention: retention, TimeOf: windowStart},
		},
		Feed: func(t *task.Task, n *topology.Node, rows *dsl.Rows[window.Key[K], A]) {
			label := n.Label()
			streamTime := t.Time(label)
			in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
				if dropped(t, label, r.KeyNull, false) {
					return nil
				}
				*streamTime = max(*streamTime, r.Time)
				first, count := win.Starts(r.Time)
				for i := range count {
					start := first + i*win.AdvanceMS()
					if win.Late(start, *streamTime) {
						t.Drop(label, task.DropLate)
						continue
					}
					k := window.Key[K]{Key: r.Key, Span: win.Span(start)}
					e, err := rows.Begin(k)
					if err != nil {
						return err
					}
					time := r.Time
					if e.OK {
						time = max(time, e.Time)
					}
					if err := rows.Put(e, f(k, r.Value, e.Value, e.OK), time); err != nil {
						return err
					}
				}
				return nil
			})
		}}.Build(in.B)))
}

// windowStart is the start in an encoded window.Key.
func windowStart(key []byte) int64 {
	if len(key) < 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key[len(key)-16:]))
}
