package stream

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// Grouped is a stream whose records are partitioned by their key, ready to be
// aggregated.
//
// The table that an aggregation makes tells the operators after it of a row
// once for each commit in which it changed ([Config.CommitInterval]), with its
// last value; EmitOnUpdate makes it tell them of every update. Records without
// a key are dropped and counted (reason "null-key"), and so are, outside
// windows, nil values ("null-value").
type Grouped[K, V any] struct {
	in   *dsl.StreamDef[K, V]
	emit dsl.Emission
}

// EmitOnUpdate makes the aggregation forward every update at once, instead of
// the last one of each row at each commit.
func (g Grouped[K, V]) EmitOnUpdate() Grouped[K, V] {
	g.emit = dsl.OnUpdate
	return g
}

// WindowedBy aggregates each key in tumbling or hopping windows.
func (g Grouped[K, V]) WindowedBy(w window.Fixed) Windowed[K, V] {
	at := dsl.Caller()
	if err := w.Check(); err != nil {
		g.in.B.Fail(at, "WindowedBy: %v", err)
	}
	return Windowed[K, V]{g, w}
}

// SessionsBy aggregates each key in sessions: runs of records with no gap
// longer than that of w between them.
func (g Grouped[K, V]) SessionsBy(w window.Sessions) Sessioned[K, V] {
	at := dsl.Caller()
	if err := w.Check(); err != nil {
		g.in.B.Fail(at, "SessionsBy: %v", err)
	}
	return Sessioned[K, V]{g, w}
}

// Count counts the records of each key.
func (g Grouped[K, V]) Count[S state.Of[K, int64]](as S) table.Table[K, int64] {
	return g.fold("Count", state.Store[K, int64](as), counting[K, V], zero[int64])
}

// Reduce combines the values of each key: the first one is the row's value, and
// f(row, value) each time after. f must not modify what row points to.
func (g Grouped[K, V]) Reduce[S state.Of[K, V]](as S, f func(row, value V) V) table.Table[K, V] {
	return g.fold("Reduce", state.Store[K, V](as), reducing[K](f), nil)
}

// Aggregate combines the values of each key into a row of another type: it
// starts as init(), and each record makes it add(key, value, row). A nil row
// deletes the key. add may change row in place and return it.
func (g Grouped[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add func(K, V, A) A) table.Table[K, A] {
	return g.fold("Aggregate", as, adding(init, add), init)
}

func (g Grouped[K, V]) fold[A any](op string, as state.Store[K, A], f folder[K, V, A], born func() A) table.Table[K, A] {
	at := dsl.Caller()
	in := g.in
	st := state.Use(in.B, as, topology.KeyValue, 0, at)
	return table.Table[K, A](dsl.NewTable(dsl.Aggregation[K, A]{Op: op, At: at, Emit: g.emit, Input: in.Node,
		Spec: cache.Spec[K, A]{Store: st, Key: as.Key(), Value: as.Value()},
		Feed: plainFeed(in, f), Born: born,
	}.Build(in.B)))
}
