package stream

import (
	"fmt"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// GlobalTable is a topic that every instance holds whole, in memory, so that
// any record can be joined with any row. It suits tables that are small and
// change little.
type GlobalTable[K, V any] dsl.Global[K, V]

// GlobalTable reads a topic as a global table. An instance reads it to its end
// before its tasks begin, at every start, and follows it from there; it is not
// kept in step with the streams that are joined with it.
func (b *Builder) GlobalTable[K, V any](from topic.Topic[K, V]) GlobalTable[K, V] {
	return GlobalTable[K, V](dsl.NewGlobal(dsl.GlobalTable(b.b, from, dsl.Caller())))
}

// JoinGlobal joins each record with the row whose key is key(k, v); a record
// without a row is left out. No partitioning is needed. Records with a nil
// value, or for which key returns nil, are dropped and counted.
func (s Stream[K, V]) JoinGlobal[KG, VG, VR any](t GlobalTable[KG, VG], key func(K, V) KG, f func(V, VG) VR) Stream[K, VR] {
	return joinGlobal(s.def(), dsl.Global[KG, VG](t).Def(), "JoinGlobal", inner, key, func(_ K, v V, row VG, _ bool) VR { return f(v, row) })
}

// JoinGlobalWithKey is JoinGlobal for a function that is given the key of the
// stream's record too.
func (s Stream[K, V]) JoinGlobalWithKey[KG, VG, VR any](t GlobalTable[KG, VG], key func(K, V) KG, f func(K, V, VG) VR) Stream[K, VR] {
	return joinGlobal(s.def(), dsl.Global[KG, VG](t).Def(), "JoinGlobalWithKey", inner, key, func(k K, v V, row VG, _ bool) VR { return f(k, v, row) })
}

// LeftJoinGlobal is JoinGlobal for every record: known says whether there is a
// row.
func (s Stream[K, V]) LeftJoinGlobal[KG, VG, VR any](t GlobalTable[KG, VG], key func(K, V) KG, f func(v V, row VG, known bool) VR) Stream[K, VR] {
	return joinGlobal(s.def(), dsl.Global[KG, VG](t).Def(), "LeftJoinGlobal", left, key, func(_ K, v V, row VG, known bool) VR { return f(v, row, known) })
}

// LeftJoinGlobalWithKey is LeftJoinGlobal for a function that is given the key of
// the stream's record too.
func (s Stream[K, V]) LeftJoinGlobalWithKey[KG, VG, VR any](t GlobalTable[KG, VG], key func(K, V) KG, f func(k K, v V, row VG, known bool) VR) Stream[K, VR] {
	return joinGlobal(s.def(), dsl.Global[KG, VG](t).Def(), "LeftJoinGlobalWithKey", left, key, f)
}

func joinGlobal[K, V, KG, VG, VR any](s *dsl.StreamDef[K, V], t *dsl.GlobalDef[KG, VG], op string, kind side, key func(K, V) KG, f func(K, V, VG, bool) VR) Stream[K, VR] {
	d := &dsl.StreamDef[K, VR]{B: s.B, Rekeyed: s.Rekeyed}
	d.Node = s.B.Add(topology.Node{
		Op: op, Name: t.Node.Name, Kind: topology.Processor, At: dsl.Caller(),
		Inputs: []*topology.Node{s.Node, t.Node},
	}, func(tk *task.Task, n *topology.Node) {
		port := dsl.NewPort[dsl.Record[K, VR]](tk, n)
		lookup := t.Lookup(tk)
		isNull, keyNull, label := null.Test[V](), nullKey[KG](), n.Label()
		s.Out(tk).Subscribe(n, func(r dsl.Record[K, V]) error {
			noValue := isNull != nil && isNull(r.Value)
			if dropped(tk, label, false, noValue) {
				return nil
			}
			k := key(r.Key, r.Value)
			noKey := keyNull != nil && keyNull(k)
			if dropped(tk, label, noKey && kind == inner, false) {
				return nil
			}
			var row VG
			var known bool
			if !noKey {
				var err error
				if row, known, err = lookup(k); err != nil {
					return &task.OpError{Operator: label, Kind: task.FailedEncode, Err: fmt.Errorf("global table: %w", err)}
				}
			}
			if !known && kind == inner {
				return nil
			}
			return port.Emit(valued(r, f(r.Key, r.Value, row, known)))
		})
	})
	return streamOf(d)
}
