package table

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

// Transformer is what the function given to [Table.TransformValues] is set up with,
// once for each task: its stores and its times, which are methods of [state.Task].
// It must be used by that task's functions only.
type Transformer struct{ state.Task }

// TransformValues replaces each row's value by what a function returns that may
// keep state in stores. setup is called once for each task and returns the function
// for the rows.
//
//	t.TransformValues(numbered, number, changes)
//
// Since such a function may give another answer when it is asked again, its results
// are kept in the store as; it is called once for each change of a row, in the order
// of the changes, and not for deletions: those delete the row of the result. A nil
// result is no row. The stores that setup opens must be listed, as for Process of
// streams. An error that the function returns fails the record that caused the
// change.
//
// Kafka Streams calls a transformer without a store of its own again with each old
// value and each look at a row, which counts twice what is counted in a store.
func (t Table[K, V]) TransformValues[VR any](as state.Store[K, VR], setup func(*Transformer) func(K, V) (VR, error), stores ...state.Declared) Table[K, VR] {
	in, at := t.def(), dsl.Caller()
	st := state.UseTable(in.B, as, at)
	node := topology.Node{Op: "TransformValues", Name: st.Name, Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}}
	open := state.AttachAll(in.B, &node, stores)
	spec := dsl.TableSpec[K, VR]{
		Node:    node,
		Store:   cache.Spec[K, VR]{Store: st, Key: as.Key(), Value: as.Value()},
		History: as.History().Milliseconds(),
	}
	latest := spec.History == 0
	return tableOf(dsl.Upserts(in.B, spec, func(tk *task.Task, n *topology.Node, put dsl.Upsert[K, VR]) {
		open(tk, n.Label())
		var now int64
		transform := setup(&Transformer{state.NewTask(tk, n, &now)})
		isNull := null.Test[VR]()
		in.Out(tk).Subscribe(n, func(c dsl.Change[K, V]) error {
			if c.Stale && latest {
				return nil // the row has a newer version
			}
			now = c.Time
			var row VR
			if c.HasNew {
				var err error
				if row, err = transform(c.Key, c.New); err != nil {
					return state.Failed(n, err)
				}
			}
			return put(c.Key, row, c.HasNew && (isNull == nil || !isNull(row)), c.Time)
		})
	}))
}
