package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/table"
)

// JoinTable joins each record with the table's row of its key; a record without
// a row is left out. Only records of the stream cause results, which keep the
// record's time and headers. Both must have the same number of partitions.
//
// Which state of the row is meant may be said: [JoinAsOf] is the row at the
// record's time, and what a versioned table is joined by ([state.Versioned]).
// [JoinLatest] is the row when the record is processed, and what any other table
// is joined by. [JoinTableFirst] reads the table before the stream, [JoinGrace]
// lets records wait for rows that come late.
//
// A task takes the records of its topics in the order of their timestamps, and
// doesn't run ahead of a topic that still has some: a row that was written with
// an earlier timestamp is there.
//
// Records without a key or with a nil value are dropped and counted.
func (s Stream[K, V]) JoinTable[VT, VR any](t table.Table[K, VT], f func(V, VT) VR, how ...TableJoin) Stream[K, VR] {
	return joinTable(s.def(), dsl.Table[K, VT](t).Def(), "JoinTable", inner, func(_ K, v V, row VT, _ bool) VR { return f(v, row) }, how)
}

// JoinTableWithKey is JoinTable for a function that is given the key too.
func (s Stream[K, V]) JoinTableWithKey[VT, VR any](t table.Table[K, VT], f func(K, V, VT) VR, how ...TableJoin) Stream[K, VR] {
	return joinTable(s.def(), dsl.Table[K, VT](t).Def(), "JoinTableWithKey", inner, func(k K, v V, row VT, _ bool) VR { return f(k, v, row) }, how)
}

// LeftJoinTable is JoinTable for every record: known says whether there is a
// row. A record without a key has none; one with a nil value is dropped and
// counted.
func (s Stream[K, V]) LeftJoinTable[VT, VR any](t table.Table[K, VT], f func(v V, row VT, known bool) VR, how ...TableJoin) Stream[K, VR] {
	return joinTable(s.def(), dsl.Table[K, VT](t).Def(), "LeftJoinTable", left, func(_ K, v V, row VT, known bool) VR { return f(v, row, known) }, how)
}

// LeftJoinTableWithKey is LeftJoinTable for a function that is given the key too.
func (s Stream[K, V]) LeftJoinTableWithKey[VT, VR any](t table.Table[K, VT], f func(key K, v V, row VT, known bool) VR, how ...TableJoin) Stream[K, VR] {
	return joinTable(s.def(), dsl.Table[K, VT](t).Def(), "LeftJoinTableWithKey", left, f, how)
}

// side tells an inner join from a left one.
type side uint8

const (
	inner side = iota
	left
)

// tableJoin is a join in a task.
type tableJoin[K, V, VT, VR any] struct {
	task   *task.Task
	label  string
	kind   side
	f      func(K, V, VT, bool) VR
	isNull func(V) bool
	latest dsl.Lookup[K, VT]
	asOf   dsl.LookupAt[K, VT] // nil: latest
	out    *dsl.Port[dsl.Record[K, VR]]
}

func joinTable[K, V, VT, VR any](s *dsl.StreamDef[K, V], t *dsl.TableDef[K, VT], op string, kind side, f func(K, V, VT, bool) VR, how []TableJoin) Stream[K, VR] {
	at := dsl.Caller()
	if s.Rekeyed != "" {
		s.B.Fail(at, "%s needs records partitioned by their key, but %s changed it; put .Repartition(topic) before", op, s.Rekeyed)
	}
	if t.Lookup == nil {
		s.B.Fail(at, "%s can't look up rows of the table made by %s at %s; join with a table whose rows have one key each", op, t.Node.Label(), t.Node.At)
	}
	if t.Demand != nil {
		t.Demand()
	}
	o := tableJoinOf(s.B, at, op, how, t.Node, t.LookupAt != nil)
	if o.first {
		tableFirst(s.B, at, op, s.Node, t.Node)
	}
	node := topology.Node{
		Op: op, Name: t.Node.Name, Kind: topology.Processor, At: at,
		Inputs: []*topology.Node{s.Node, t.Node}, Copartitioned: true,
	}
	buffer := openJoinBuffer[K, V](s.B, at, op, o)
	if buffer != nil {
		node.Stores = []*topology.Store{buffer.spec}
	}
	d := &dsl.StreamDef[K, VR]{B: s.B}
	d.Node = s.B.Add(node, func(tk *task.Task, n *topology.Node) {
		j := &tableJoin[K, V, VT, VR]{
			task: tk, label: n.Label(), kind: kind, f: f, isNull: null.Test[V](),
			latest: t.Lookup(tk), out: dsl.NewPort[dsl.Record[K, VR]](tk, n),
		}
		if o.asOf {
			j.asOf = t.LookupAt(tk)
		}
		process := j.join
		if buffer != nil {
			process = buffer.open(tk, n, j.join)
		}
		s.Out(tk).Subscribe(n, func(r dsl.Record[K, V]) error {
			if dropped(tk, j.label, r.KeyNull && kind == inner, j.isNull != nil && j.isNull(r.Value)) {
				return nil
			}
			return process(r)
		})
	})
	return streamOf(d)
}

// join gives the result of a record, now.
func (j *tableJoin[K, V, VT, VR]) join(r dsl.Record[K, V]) error {
	var row dsl.Row[VT]
	var err error
	switch {
	case r.KeyNull:
	case j.asOf != nil:
		row, err = j.asOf(r.Key, r.Time)
	default:
		row, err = j.latest(r.Key, dsl.Latest)
	}
	if err != nil || !row.OK && j.kind == inner {
		return err
	}
	return j.out.Emit(valued(r, j.f(r.Key, r.Value, row.Value, row.OK)))
}
