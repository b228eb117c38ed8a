package table

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

// JoinForeign is the table of f(row, other's row), where fk(key, row) is the key
// of the other table's row: a join of orders with the customers that they name.
// A change of either side changes it: a row of other that changes is looked up
// the rows of t that refer to it, in the order of their encoded keys. The two
// tables need not have the same number of partitions.
//
// What refers to what is kept in the stores of via, the results in as. A row of
// t goes to the partition of the foreign key through one topic, and the other's
// row comes back through another; via names both. An answer that comes when the
// row of t has changed again is left out: each row has a version that goes with
// the question, so it needs no hash of its bytes as in Kafka Streams, where an
// answer is lost if the same row is encoded differently.
//
// A row for which fk returns nil (of a type that has nil) refers to nothing: it
// is counted as dropped, reason "null-foreign-key", and has no result. A nil
// result deletes the row. A result's time is the later one of both rows', its
// headers those of the record that caused it. Changes of a versioned table that
// come out of order are left out.
func (t Table[K, V]) JoinForeign[KO, V2, VR any](other Table[KO, V2], fk func(K, V) KO, via state.Foreign[K, KO, V2], as state.Store[K, VR], f func(V, V2) VR) Table[K, VR] {
	return foreign[K, V, KO, V2, K, VR]{
		op: "JoinForeign", kind: innerJoin, left: t.def(), right: other.def(), fk: fk, via: via, as: as,
		name: func(k K, _ bool, _ KO) K { return k },
		f:    func(v V, _ bool, v2 V2, _ bool) VR { return f(v, v2) },
	}.build()
}

// LeftJoinForeign is JoinForeign for every row of t; known says whether there is
// a row that it refers to. A row for which fk returns nil has none.
func (t Table[K, V]) LeftJoinForeign[KO, V2, VR any](other Table[KO, V2], fk func(K, V) KO, via state.Foreign[K, KO, V2], as state.Store[K, VR], f func(v V, v2 V2, known bool) VR) Table[K, VR] {
	return foreign[K, V, KO, V2, K, VR]{
		op: "LeftJoinForeign", kind: leftJoin, left: t.def(), right: other.def(), fk: fk, via: via, as: as,
		name: func(k K, _ bool, _ KO) K { return k },
		f:    func(v V, _ bool, v2 V2, known bool) VR { return f(v, v2, known) },
	}.build()
}

// OuterJoinForeign is LeftJoinForeign and has a row more for each row of other
// that no row of t refers to. (Kafka Streams has no such join.) As those have no
// key of t, key gives the results theirs: key(k, true, none) for the row k of t,
// and key(none, false, fk) for a row of other that stands alone. The two must
// differ. ok and ok2 say which of the two rows there are.
//
// The result is partitioned by the keys of t, not by its own: to join or group
// it by those, repartition it.
func (t Table[K, V]) OuterJoinForeign[KO, V2, KR, VR any](other Table[KO, V2], fk func(K, V) KO, via state.Foreign[K, KO, V2], as state.Store[KR, VR], key func(k K, ok bool, fk KO) KR, f func(v V, ok bool, v2 V2, ok2 bool) VR) Table[KR, VR] {
	return foreign[K, V, KO, V2, KR, VR]{
		op: "OuterJoinForeign", kind: outerJoin, left: t.def(), right: other.def(), fk: fk, via: via, as: as,
		name: key, f: f,
	}.build()
}

// foreign is a foreign-key join under construction.
type foreign[K, V, KO, VO, KR, VR any] struct {
	op    string
	kind  joinKind
	left  *dsl.TableDef[K, V]
	right *dsl.TableDef[KO, VO]
	fk    func(K, V) KO
	via   state.Foreign[K, KO, VO]
	as    state.Store[KR, VR]
	name  func(k K, ok bool, fk KO) KR
	f     func(v V, ok bool, v2 VO, ok2 bool) VR
}

// build adds the five nodes: the left side that asks, the right side with the
// source of the questions, and the result with the source of the answers.
func (j foreign[K, V, KO, VO, KR, VR]) build() Table[KR, VR] {
	b, at := j.left.B, dsl.Caller()
	needLookup(j.left, j.op, at)
	needLookup(j.right, j.op, at)
	if b.LikeKafka {
		j.left.WantOld()
	}
	references, referrers := state.UseForeign(b, j.via, at)
	result := state.Use(b, j.as, topology.KeyValue, 0, at)
	ask := b.Plan.Graph.Topic(topology.Topic{
		Name: j.via.Name() + "-subscribe", Role: topology.Repartition, At: at, Types: "subscriptions of " + dsl.TypeNames[K, KO](),
	})
	reply := b.Plan.Graph.Topic(topology.Topic{
		Name: j.via.Name() + "-respond", Role: topology.Repartition, At: at, Types: "responses of " + dsl.TypeNames[K, KO](),
	})

	b.Add(topology.Node{
		Op: j.op, Name: ask.Name, Kind: topology.Sink, At: at, Topic: ask,
		Inputs: []*topology.Node{j.left.Node}, Stores: []*topology.Store{references},
	}, j.makeLeft(references, ask))

	questions := b.Add(topology.Node{Op: j.op, Name: ask.Name, Kind: topology.Source, At: at, Topic: ask}, readSubscriptions)
	b.Add(topology.Node{
		Op: j.op, Name: reply.Name, Kind: topology.Sink, At: at, Topic: reply, Copartitioned: true,
		Inputs: []*topology.Node{questions, j.right.Node}, Stores: []*topology.Store{referrers},
	}, j.makeRight(referrers, questions, reply))

	answers := b.Add(topology.Node{Op: j.op, Name: reply.Name, Kind: topology.Source, At: at, Topic: reply}, readResponses)
	return tableOf(dsl.Upserts(b, dsl.TableSpec[KR, VR]{
		Node: topology.Node{
			Op: j.op, Name: result.Name, Kind: topology.Processor, At: at, Copartitioned: true,
			Inputs: []*topology.Node{answers, j.left.Node},
		},
		Store: cache.Spec[KR, VR]{Store: result, Key: j.as.Key(), Value: j.as.Value()},
	}, j.feedResult(references, answers)))
}
