package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Stream is a stream of records in a topology under construction. It is a
// handle: copying it copies no records, and using it twice branches the stream.
//
// Functions given to its methods are called by one goroutine per task, in the
// order of the records. They must not keep state of their own (use Process and
// a store) and must not modify what a key or value points to, since other
// branches see it too. A function that panics fails the record, as an error
// would; [Config.OnError] decides what happens then.
//
// Timestamps and headers pass through every operator unchanged, unless it says
// otherwise. A record without a key has the zero K.
type Stream[K, V any] dsl.Stream[K, V]

func (s Stream[K, V]) def() *dsl.StreamDef[K, V] { return dsl.Stream[K, V](s).Def() }

func streamOf[K, V any](d *dsl.StreamDef[K, V]) Stream[K, V] {
	return Stream[K, V](dsl.NewStream(d))
}

// Apply calls f with the stream and returns what f returns. It keeps a chain
// going through a function, which is how to add operators of one's own.
func (s Stream[K, V]) Apply[R any](f func(Stream[K, V]) R) R { return f(s) }

// operator is one stateless node: process makes its function for a task.
type operator[K, V, KR, VR any] struct {
	op    string
	keeps bool // the key stays as it is
	make  func(t *task.Task, n *topology.Node, out *dsl.Port[dsl.Record[KR, VR]]) func(dsl.Record[K, V]) error
}

// add puts a node after s.
func (o operator[K, V, KR, VR]) add(s *dsl.StreamDef[K, V], at string) *dsl.StreamDef[KR, VR] {
	d := &dsl.StreamDef[KR, VR]{B: s.B, Rekeyed: s.Rekeyed}
	if !o.keeps {
		d.Rekeyed = o.op + " at " + at
	}
	d.Node = s.B.Add(topology.Node{Op: o.op, Kind: topology.Processor, At: at, Inputs: []*topology.Node{s.Node}},
		func(t *task.Task, n *topology.Node) {
			port := dsl.NewPort[dsl.Record[KR, VR]](t, n)
			s.Out(t).Subscribe(n, o.make(t, n, port))
		})
	return d
}

// keyed makes a record with a key that a function returned.
func keyed[K, V, KR, VR any](isNull func(KR) bool, r dsl.Record[K, V], k KR, v VR) dsl.Record[KR, VR] {
	return dsl.Record[KR, VR]{Key: k, Value: v, Time: r.Time, KeyNull: isNull != nil && isNull(k), Meta: r.Meta}
}

// valued makes a record with another value and the same key.
func valued[K, V, VR any](r dsl.Record[K, V], v VR) dsl.Record[K, VR] {
	return dsl.Record[K, VR]{Key: r.Key, Value: v, Time: r.Time, KeyNull: r.KeyNull, Meta: r.Meta}
}

// nullKey is null.Test for keys.
func nullKey[K any]() func(K) bool { return null.Test[K]() }
