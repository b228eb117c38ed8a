package table

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

// Materialize keeps the table's rows in a store, which processors and queries can
// read, and returns the table as it is there. It is for tables without one: the
// results of Filter, MapValues and joins, which are computed anew with each look
// at a row.
//
//	large := totals.Filter(isLarge).Materialize(largeTotals)
//
// The store has a changelog of its own, like any other. Every change goes on, also
// one that changes nothing, with the time of the change; what was the row before
// is known from the store, so the functions are called once for each change. Of a
// versioned table it keeps the latest versions only, and leaves changes of older
// ones out, unless the store is versioned too.
//
// Kafka Streams asks for it with a Materialized in each operator.
func (t Table[K, V]) Materialize[S state.Of[K, V]](as S) Table[K, V] {
	store := state.Store[K, V](as)
	in, at := t.def(), dsl.Caller()
	st := state.UseTable(in.B, store, at)
	return tableOf(dsl.Materialize(in, dsl.TableSpec[K, V]{
		Node:    topology.Node{Op: "Materialize", Name: st.Name, At: at},
		Store:   cache.Spec[K, V]{Store: st, Key: store.Key(), Value: store.Value()},
		History: store.History().Milliseconds(),
	}))
}
