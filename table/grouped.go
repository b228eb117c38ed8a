package table

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/topic"
)

// Grouped is a table whose rows are grouped by another key, to be aggregated:
// when a row changes, what it was is taken out of its group's row and what it
// is now is put in.
type Grouped[K, V any] struct {
	b    *dsl.Builder
	node *topology.Node
	emit dsl.Emission
}

// GroupBy gives each row the key and value that f returns, and groups them by
// that key. The changes go through the repartition topic via, each as one record
// that carries the new value and, in the header "leat.old", the old one.
func (t Table[K, V]) GroupBy[KR, VR any](f func(K, V) (KR, VR), via topic.Topic[KR, VR]) Grouped[KR, VR] {
	at := dsl.Caller()
	in := t.def()
	in.WantOld()
	writeChanges(in, f, via, at)
	return Grouped[KR, VR]{b: in.B, node: readChanges(in.B, via, at)}
}

// EmitOnUpdate makes the aggregation forward every update at once, instead of
// the last one of each row at each commit.
func (g Grouped[K, V]) EmitOnUpdate() Grouped[K, V] {
	g.emit = dsl.OnUpdate
	return g
}

// Count counts the rows of each group.
func (g Grouped[K, V]) Count[S state.Of[K, int64]](as S) Table[K, int64] {
	return g.fold("Count", state.Store[K, int64](as), func() int64 { return 0 },
		func(_ K, _ V, n int64, _ bool) int64 { return n + 1 },
		func(_ K, _ V, n int64) int64 { return n - 1 })
}

// Reduce combines the values of each group: the first is the row's value, after
// that add(row, value) puts one in and sub(row, value) takes one out.
func (g Grouped[K, V]) Reduce[S state.Of[K, V]](as S, add, sub func(row, value V) V) Table[K, V] {
	return g.fold("Reduce", state.Store[K, V](as), func() V { var none V; return none },
		func(_ K, v, row V, had bool) V {
			if !had {
				return v
			}
			return add(row, v)
		},
		func(_ K, v, row V) V { return sub(row, v) })
}

// Aggregate combines the values of each group into a row of another type: it
// starts as init(), add puts a value in and sub takes one out. sub comes first
// where a row of the table changed within its group. A nil row deletes the group.
func (g Grouped[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add, sub func(K, V, A) A) Table[K, A] {
	return g.fold("Aggregate", as, init,
		func(k K, v V, row A, _ bool) A { return add(k, v, row) },
		func(k K, v V, row A) A { return sub(k, v, row) })
}

func (g Grouped[K, V]) fold[A any](op string, as state.Store[K, A], init func() A, add func(k K, v V, row A, had bool) A, sub func(k K, v V, row A) A) Table[K, A] {
	at := dsl.Caller()
	st := state.Use(g.b, as, topology.KeyValue, 0, at)
	return tableOf(dsl.Aggregation[K, A]{Op: op, At: at, Emit: g.emit, Input: g.node,
		Spec: cache.Spec[K, A]{Store: st, Key: as.Key(), Value: as.Value()},
		Feed: func(t *task.Task, n *topology.Node, rows *dsl.Rows[K, A]) {
			t.Port(g.node.ID).(*dsl.Port[dsl.Change[K, V]]).Subscribe(n, func(c dsl.Change[K, V]) error {
				e, err := rows.Begin(c.Key)
				if err != nil {
					return err
				}
				row, had := e.Value, e.OK
				if c.HasOld && had {
					row = sub(c.Key, c.Old, row)
				}
				if c.HasNew {
					if !had {
						row = init()
					}
					row = add(c.Key, c.New, row, had)
				} else if !had && g.b.LikeKafka {
					return rows.Missing(e, c.Time)
				} else if !had {
					return nil // nothing to take out of
				}
				return rows.Put(e, row, rows.Later(e, c.Time))
			})
		}}.Build(g.b))
}
