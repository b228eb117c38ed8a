package stream

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
)

// FromTable is the stream of a table's new values, one record for each change.
// Deletions have no value and are left out; Changes has them too.
//
//	counts.Apply(stream.FromTable).Filter(many).To(out)
func FromTable[K, V any](t table.Table[K, V]) Stream[K, V] {
	return fromTable(t, "FromTable", func(c *dsl.Change[K, V]) (V, bool) { return c.New, c.HasNew })
}

// Changes is the stream of a table's changes; the value is nil where the row
// was deleted.
func Changes[K, V any](t table.Table[K, V]) Stream[K, *V] {
	return fromTable(t, "Changes", func(c *dsl.Change[K, V]) (*V, bool) {
		if !c.HasNew {
			return nil, true
		}
		v := c.New
		return &v, true
	})
}

func fromTable[K, V, VR any](t table.Table[K, V], op string, f func(*dsl.Change[K, V]) (VR, bool)) Stream[K, VR] {
	in := dsl.Table[K, V](t).Def()
	d := &dsl.StreamDef[K, VR]{B: in.B}
	d.Node = in.B.Add(topology.Node{Op: op, Kind: topology.Processor, At: dsl.Caller(), Inputs: []*topology.Node{in.Node}},
		func(tk *task.Task, n *topology.Node) {
			port := dsl.NewPort[dsl.Record[K, VR]](tk, n)
			in.Out(tk).Subscribe(n, func(c dsl.Change[K, V]) error {
				v, ok := f(&c)
				if !ok {
					return nil
				}
				return port.Emit(dsl.Record[K, VR]{Key: c.Key, Value: v, Time: c.Time, Meta: c.Meta})
			})
		})
	return streamOf(d)
}

// Table reads a topic as a table: each record sets the row of its key, one
// without a value deletes it, one without a key is dropped and counted. The
// topic is also what restores the store, so it should be compacted, or be kept
// for ever. Every change goes on at once.
//
// With a store of [state.Versioned] the table keeps the versions of each row, by
// the timestamps of its records. One that is older than the row's newest goes into
// the history and on to streams and topics, but joins and aggregations of tables
// leave it out (dropped, "stale"); one that is older than the history is dropped
// and counted, reason "late". Such a table has a changelog of its own, since
// compaction leaves no history in the topic.
func (b *Builder) Table[K, V any](from topic.Topic[K, V], as state.Store[K, V]) table.Table[K, V] {
	at := dsl.Caller()
	st := state.UseTable(b.b, as, at)
	return table.Table[K, V](dsl.NewTable(dsl.SourceTable(b.b, from, dsl.TableSpec[K, V]{
		Node:    topology.Node{Op: "Table", Name: st.Name, At: at},
		Store:   cache.Spec[K, V]{Store: st, Key: as.Key(), Value: as.Value()},
		History: as.History().Milliseconds(),
	})))
}

// ToTable is the table of the last value of each key. A nil value deletes the
// row; records without a key are dropped and counted. Every change goes on at
// once. The stream must be partitioned by its key. With a store of
// [state.Versioned] it keeps versions, as [Builder.Table] says.
func (s Stream[K, V]) ToTable[S state.Of[K, V]](as S) table.Table[K, V] {
	store := state.Store[K, V](as)
	at := dsl.Caller()
	in := s.def()
	if in.Rekeyed != "" {
		in.B.Fail(at, "ToTable needs records partitioned by their key, but %s changed it; put .Repartition(topic) before", in.Rekeyed)
	}
	st := state.UseTable(in.B, store, at)
	return table.Table[K, V](dsl.NewTable(dsl.Upserts(in.B, dsl.TableSpec[K, V]{
		Node:    topology.Node{Op: "ToTable", Name: st.Name, Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}},
		Store:   cache.Spec[K, V]{Store: st, Key: store.Key(), Value: store.Value()},
		History: store.History().Milliseconds(),
	}, func(t *task.Task, n *topology.Node, put dsl.Upsert[K, V]) {
		label := n.Label()
		in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
			if dropped(t, label, r.KeyNull, false) {
				return nil
			}
			return put(r.Key, r.Value, true, r.Time)
		})
	})))
}
