package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/table"
)

// JoinTable joins each record with the table's row of its key, as the row is
// when the record is processed; a record without a row is left out. Only records
// of the stream cause results. Both must have the same number of partitions.
//
// A task takes the records of its topics in the order of their timestamps, and
// doesn't run ahead of a topic that still has some: a row that was written with
// an earlier timestamp is there.
//
// Records without a key or with a nil value are dropped and counted.
func (s Stream[K, V]) JoinTable[VT, VR any](t table.Table[K, VT], f func(V, VT) VR) Stream[K, VR] {
	return joinTable(s.def(), dsl.Table[K, VT](t).Def(), "JoinTable", inner, func(v V, row VT, _ bool) VR { return f(v, row) })
}

// LeftJoinTable is JoinTable for every record: known says whether there is a
// row. A record without a key has none; one with a nil value is dropped and
// counted.
func (s Stream[K, V]) LeftJoinTable[VT, VR any](t table.Table[K, VT], f func(v V, row VT, known bool) VR) Stream[K, VR] {
	return joinTable(s.def(), dsl.Table[K, VT](t).Def(), "LeftJoinTable", left, f)
}

// side tells an inner join from a left one.
type side uint8

const (
	inner side = iota
	left
)

func joinTable[K, V, VT, VR any](s *dsl.StreamDef[K, V], t *dsl.TableDef[K, VT], op string, kind side, f func(V, VT, bool) VR) Stream[K, VR] {
	at := dsl.Caller()
	if s.Rekeyed != "" {
		s.B.Fail(at, "%s needs records partitioned by their key, but %s changed it; put .Repartition(topic) before", op, s.Rekeyed)
	}
	if t.Lookup == nil {
		s.B.Fail(at, "%s can't look up rows of the table made by %s at %s; join with a table whose rows have one key each", op, t.Node.Label(), t.Node.At)
	}
	d := &dsl.StreamDef[K, VR]{B: s.B}
	d.Node = s.B.Add(topology.Node{
		Op: op, Name: t.Node.Name, Kind: topology.Processor, At: at,
		Inputs: []*topology.Node{s.Node, t.Node}, Copartitioned: true,
	}, func(tk *task.Task, n *topology.Node) {
		port := dsl.NewPort[dsl.Record[K, VR]](tk, n)
		lookup := t.Lookup(tk)
		isNull, label := null.Test[V](), n.Label()
		s.Out(tk).Subscribe(n, func(r dsl.Record[K, V]) error {
			if dropped(tk, label, r.KeyNull && kind == inner, isNull != nil && isNull(r.Value)) {
				return nil
			}
			var row dsl.Row[VT]
			if !r.KeyNull {
				var err error
				if row, err = lookup(r.Key, dsl.Latest); err != nil {
					return err
				}
			}
			if !row.OK && kind == inner {
				return nil
			}
			return port.Emit(valued(r, f(r.Value, row.Value, row.OK)))
		})
	})
	return streamOf(d)
}
