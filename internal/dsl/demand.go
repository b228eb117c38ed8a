package dsl

import (
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/topology"
)

// onDemand lets a table in a store that need not be there have old values only
// when somebody can't do without. Kafka Streams makes no store for such a table
// until an operator that is added later needs one; what was added before then
// never hears of old values, though they are there. So this counts under
// LikeKafka only.
func onDemand[K, V any](d *TableDef[K, V], st *topology.Store) {
	if !st.OnDemand || !d.B.LikeKafka {
		return
	}
	want := d.WantOld
	d.Demand = func() { st.OnDemand = false }
	d.WantOld = func() {
		d.Demand()
		want()
	}
	d.TryOld = func() bool {
		if !st.OnDemand {
			want()
		}
		return !st.OnDemand
	}
}

// ofDemand is the emission of a table, at the time when tasks are made: without a
// store Kafka Streams has nothing to gather changes in.
func ofDemand(b *Builder, st *topology.Store, e *Emitting) *Emitting {
	if b.LikeKafka && st.OnDemand {
		return &Emitting{Emission: OnUpdate}
	}
	return e
}

// Born is the old value that Kafka Streams gives a new row of an aggregation: what
// the initializer returned. It is nil if there is no initializer.
func Born[A any](init func() A) func() (A, bool) {
	if init == nil {
		return nil
	}
	isNull := null.Test[A]()
	return func() (A, bool) {
		v := init()
		return v, isNull == nil || !isNull(v)
	}
}
