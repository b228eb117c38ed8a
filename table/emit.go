package table

import (
	"time"

	"github.com/leatstream/leat/internal/dsl"
)

// EmitOnUpdate makes the table tell the operators after it of every update at
// once. That is the default for tables that come from a topic or a stream and for
// those that Materialize made. It is for tables whose rows are in a store.
func (t Table[K, V]) EmitOnUpdate() Table[K, V] { return t.emits(dsl.OnUpdate, "EmitOnUpdate") }

// EmitOnCommit makes the table tell of each row that changed since the last
// commit, once, with its last value, timestamp and headers, in the order of the
// last changes. A row that came and went between two commits is not told of. That
// is the default for aggregations. It is for tables whose rows are in a store.
//
// What Kafka Streams does is close to it if its cache is large enough; here it
// never depends on the size of a cache.
func (t Table[K, V]) EmitOnCommit() Table[K, V] { return t.emits(dsl.OnCommit, "EmitOnCommit") }

// EmitEvery makes the table tell of its rows at most every d, by the wall clock:
// of each row that changed since the last time, its last value, with timestamp and
// headers of its last change; in the order of the first changes. What waits is in
// a store of its own, named after the table's with "-pending", with a changelog: a
// crash loses nothing. It is for tables whose rows are in a store.
func (t Table[K, V]) EmitEvery(d time.Duration) Table[K, V] {
	return t.emits(dsl.Every(d), "EmitEvery")
}

// emits sets the emission of the table itself, wherever it is used.
func (t Table[K, V]) emits(e dsl.Emission, op string) Table[K, V] {
	d, at := t.def(), dsl.Caller()
	if d.SetEmission == nil {
		d.B.Fail(at, "%s needs a table whose rows are in a store, and those of the one made by %s at %s are computed or versioned; put .Materialize(store) before", op, d.Node.Label(), d.Node.At)
		return t
	}
	d.SetEmission(e, at)
	return t
}

// EmitEvery makes the aggregation tell of its rows at most every d, by the wall
// clock, as [Table.EmitEvery].
func (g Grouped[K, V]) EmitEvery(d time.Duration) Grouped[K, V] {
	g.emit = dsl.Every(d)
	return g
}
