package stream

import (
	"iter"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/topic"
)

// View is a global table as a processor reads it. Each read sees the table as it
// is at that moment: another goroutine keeps it up to date.
type View[K, V any] struct {
	table dsl.GlobalReader[K, V]
}

func openView[K, V any](t *task.Task, g GlobalTable[K, V]) *View[K, V] {
	return &View[K, V]{dsl.Global[K, V](g).Def().Reader(t)}
}

// Get returns the value of a key, and whether there is one.
func (v *View[K, V]) Get(key K) (value V, ok bool, err error) {
	row, err := v.table.Get(key)
	return row.Value, row.OK, err
}

// Time returns the time of the record that last wrote the row of a key.
func (v *View[K, V]) Time(key K) (at time.Time, ok bool, err error) {
	row, err := v.table.Get(key)
	return time.UnixMilli(row.Time).UTC(), row.OK, err
}

// All yields every row, in the order of the encoded keys. It copies and sorts the
// table first.
func (v *View[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, r := range v.table.All() {
			if !yield(r.Key, r.Value) {
				return
			}
		}
	}
}

// Len is the number of rows.
func (v *View[K, V]) Len() int { return v.table.Len() }

// GlobalWriter is what the function of a global store reads and writes. Only that
// function uses it; processors read the store through what Global opens.
type GlobalWriter[K, V any] struct {
	View[K, V]
	store *dsl.GlobalWriter[K, V]
}

// Put sets the value of a key, with the time of the record in process. A nil value
// deletes it.
func (w *GlobalWriter[K, V]) Put(key K, value V) error { return w.store.Put(key, value) }

// Delete removes a key; it is no error if there is none.
func (w *GlobalWriter[K, V]) Delete(key K) error { return w.store.Delete(key) }

// GlobalStore reads a topic into a store that every instance holds whole, as a
// global table, but by a function: it may put something else than the records, under
// other keys. Like a global table it can be joined with, and read by processors.
//
//	regions := b.GlobalStore(shops, shopsByRegion, index)
//
// setup is called once for each instance, and returns the function for the
// records of the topic, of all partitions; those of one partition come in order.
// The store is in memory and has no changelog: at every start the function is
// called for all records of the topic again, before any task begins. So it must
// depend on nothing but the records and the store. A record for which it fails is
// handled as [Config.OnError] says, other than that dead letters are skipped.
func (b *Builder) GlobalStore[K, V, KS, VS any](from topic.Topic[K, V], as state.Store[KS, VS], setup func(*GlobalWriter[KS, VS]) func(Record[K, V]) error) GlobalTable[KS, VS] {
	at := dsl.Caller()
	if err := as.Check(); err != nil {
		b.b.Fail(at, "%v", err)
	}
	return GlobalTable[KS, VS](dsl.NewGlobal(dsl.GlobalStore(b.b, dsl.GlobalSpec[K, V, KS, VS]{
		From: from, Name: as.Name(), Key: as.Key(), Value: as.Value(), At: at,
		Maintain: func(w *dsl.GlobalWriter[KS, VS]) func(dsl.Record[K, V]) error {
			process := setup(&GlobalWriter[KS, VS]{View: View[KS, VS]{w.GlobalReader}, store: w})
			return func(r dsl.Record[K, V]) error { return process(recordOf(&r)) }
		},
	})))
}

// OpenGlobal is for leat's own packages: a global table as its open state has it.
func OpenGlobal[K, V any](g GlobalTable[K, V], open func(index int) task.Global) *View[K, V] {
	d := dsl.Global[K, V](g).Def()
	return &View[K, V]{d.Read(open(d.Index))}
}
