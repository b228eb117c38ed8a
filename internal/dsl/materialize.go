package dsl

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Materialize keeps the rows of a table, which may be computed with each look at
// them, in a store of their own.
func Materialize[K, V any](in *TableDef[K, V], spec TableSpec[K, V]) *TableDef[K, V] {
	spec.Node.Kind = topology.Processor
	spec.Node.Inputs = []*topology.Node{in.Node}
	latest := spec.History == 0 && !in.B.LikeKafka
	var d *TableDef[K, V]
	var quiet bool // a deletion of what isn't there goes no further
	d = Upserts(in.B, spec, func(t *task.Task, n *topology.Node, put Upsert[K, V]) {
		lookup := d.Lookup(t)
		own, _ := t.Opened(ownOldOf(spec.Store.Store.Name)).(*ownOld[V])
		if !in.OwnOld {
			own = nil
		}
		in.Out(t).Subscribe(n, func(c Change[K, V]) error {
			if c.Stale && latest {
				return nil // the row has a newer version
			}
			if quiet && !c.HasNew {
				if row, err := lookup(c.Key, Latest); err != nil || !row.OK {
					return err
				}
			}
			if own != nil {
				*own = ownOld[V]{c.Old, c.HasOld, true}
			}
			return put(c.Key, c.New, c.HasNew, c.Time)
		})
	})
	if in.OwnOld {
		want := d.WantOld
		d.WantOld = func() {
			in.WantOld()
			want()
		}
	}
	if in.B.LikeKafka && in.Node.Op == "Filter" && in.LookupAt == nil {
		// A Filter of Kafka Streams has its store within, and goes by it if it has
		// old values, or when somebody wants them.
		quiet = in.AskOld()
		want := d.WantOld
		d.WantOld = func() {
			quiet = true
			want()
		}
	}
	return d
}

// ownOld is the old value of the next change of a table in a store, where it is not
// what the store holds: see TableDef.OwnOld.
type ownOld[V any] struct {
	old V
	has bool
	set bool
}

// ownOldOf is under what name a task keeps it.
func ownOldOf(store string) string { return store + " own old" }
