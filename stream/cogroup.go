package stream

import (
	"slices"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// Cogroup begins an aggregation of several grouped streams into one row for each
// key: add(key, value, row) takes in a record of this one. And names the others;
// Aggregate, after a window if there is one, names the store.
//
//	clicks.GroupByKey().
//		Cogroup(addClick).
//		And(orders.GroupByKey(), addOrder).
//		Aggregate(customers, newCustomer)
func (g Grouped[K, V]) Cogroup[A any](add func(K, V, A) A) Cogrouped[K, A] {
	return Cogrouped[K, A]{
		b: g.in.B, emit: g.emit,
		inputs: []cogroupInput[K, A]{cogroupStream[K, V, A]{g.in, add}},
	}
}

// Cogrouped is several grouped streams that are aggregated together, into rows of
// one type. Their topics must have the same number of partitions. It takes less
// than an aggregation of each stream and a join of the tables: one store, and one
// update for a record.
//
// Records without a key are dropped and counted (reason "null-key"), and so are,
// outside windows and in sliding ones, nil values ("null-value"). In windows each
// stream has a stream time of its own, as if it were aggregated alone: what is
// late in one may be in time in another. But windows expire from the store by the
// time of all: one that a slow stream still takes records for may be gone if
// another is ahead by more than the window's retention, and begins anew.
type Cogrouped[K, A any] struct {
	b      *dsl.Builder
	emit   dsl.Emission
	inputs []cogroupInput[K, A]
}

// And is c with another stream, whose records add takes in.
func (c Cogrouped[K, A]) And[V any](g Grouped[K, V], add func(K, V, A) A) Cogrouped[K, A] {
	c.inputs = append(slices.Clip(c.inputs), cogroupStream[K, V, A]{g.in, add})
	return c
}

// EmitOnUpdate makes the aggregation forward every update at once, instead of
// the last one of each row at each commit.
func (c Cogrouped[K, A]) EmitOnUpdate() Cogrouped[K, A] {
	c.emit = dsl.OnUpdate
	return c
}

// Aggregate combines the records of all streams with a key into a row, which
// starts as init(). A nil row deletes the key. An add may change the row in place
// and return it. The row has the time of its latest record.
func (c Cogrouped[K, A]) Aggregate[S state.Of[K, A]](as S, init func() A) table.Table[K, A] {
	store := state.Store[K, A](as)
	at := dsl.Caller()
	st := state.Use(c.b, store, topology.KeyValue, 0, at)
	a := dsl.Aggregation[K, A]{Op: "Cogroup", At: at, Emit: c.emit, Born: init,
		Spec: cache.Spec[K, A]{Store: st, Key: store.Key(), Value: store.Value()}}
	return table.Table[K, A](dsl.NewTable(cogroup(c, a, func(in cogroupInput[K, A], _ string) func(*task.Task, *topology.Node, *dsl.Rows[K, A]) {
		return in.plain(init)
	})))
}

// WindowedBy aggregates each key in fixed windows: tumbling, hopping, unlimited,
// or custom.
func (c Cogrouped[K, A]) WindowedBy(w window.Fixed) CogroupWindowed[K, A] {
	at := dsl.Caller()
	if err := w.Check(); err != nil {
		c.b.Fail(at, "WindowedBy: %v", err)
	}
	return CogroupWindowed[K, A]{c, w}
}

// SlidingBy aggregates each key in sliding windows.
func (c Cogrouped[K, A]) SlidingBy(w window.Slides) CogroupSlid[K, A] {
	at := dsl.Caller()
	if err := w.Check(); err != nil {
		c.b.Fail(at, "SlidingBy: %v", err)
	}
	return CogroupSlid[K, A]{c, w}
}

// SessionsBy aggregates each key in sessions.
func (c Cogrouped[K, A]) SessionsBy(w window.Sessions) CogroupSessioned[K, A] {
	at := dsl.Caller()
	if err := w.Check(); err != nil {
		c.b.Fail(at, "SessionsBy: %v", err)
	}
	return CogroupSessioned[K, A]{c, w}
}

// CogroupWindowed is cogrouped streams cut into fixed windows, as [Windowed] is
// one.
type CogroupWindowed[K, A any] struct {
	c Cogrouped[K, A]
	w window.Fixed
}

// Aggregate combines the records of all streams with a key and a window into a
// row, as Cogrouped.Aggregate.
func (w CogroupWindowed[K, A]) Aggregate[S state.Of[K, A]](as S, init func() A) table.Table[window.Key[K], A] {
	type rows = dsl.Rows[window.Key[K], A]
	a := windowAggregation(w.c.b, "Cogroup", dsl.Caller(), state.Store[K, A](as), w.w, w.c.emit)
	a.Born = init
	return table.Table[window.Key[K], A](dsl.NewTable(cogroup(w.c, a, func(in cogroupInput[K, A], clock string) func(*task.Task, *topology.Node, *rows) {
		return in.windowed(w.w, clock, init)
	})))
}

// CogroupSlid is cogrouped streams cut into sliding windows, as [Slid] is one.
type CogroupSlid[K, A any] struct {
	c Cogrouped[K, A]
	w window.Slides
}

// Aggregate combines the records of all streams with a key and a window into a
// row, as Cogrouped.Aggregate. A window may begin with the row of another.
func (w CogroupSlid[K, A]) Aggregate[S state.Of[K, A]](as S, init func() A) table.Table[window.Key[K], A] {
	a := slidingAggregation("Cogroup", dsl.Caller(), state.Store[K, A](as), w.w, w.c.emit)
	a.born = init
	return cogroupCells(w.c, a, func(in cogroupInput[K, A], clock string) func(*task.Task, *topology.Node, *cells[K, A]) {
		return in.sliding(w.w, clock, init)
	})
}

// CogroupSessioned is cogrouped streams cut into sessions, as [Sessioned] is one.
type CogroupSessioned[K, A any] struct {
	c Cogrouped[K, A]
	w window.Sessions
}

// Aggregate combines the records of all streams with a key and a session into a
// row, as Sessioned.Aggregate.
func (w CogroupSessioned[K, A]) Aggregate[S state.Of[K, A]](as S, init func() A, merge func(key K, a, b A) A) table.Table[window.Key[K], A] {
	a := sessionAggregation("Cogroup", dsl.Caller(), state.Store[K, A](as), w.w, w.c.emit)
	return cogroupCells(w.c, a, func(in cogroupInput[K, A], clock string) func(*task.Task, *topology.Node, *cells[K, A]) {
		return in.sessions(w.w, clock, init, merge)
	})
}
