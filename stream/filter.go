package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Filter keeps the records for which keep returns true. The others are not
// counted as dropped: leaving them out is what was asked for.
func (s Stream[K, V]) Filter(keep func(K, V) bool) Stream[K, V] {
	return s.filter("Filter", keep)
}

// FilterNot keeps the records for which drop returns false.
func (s Stream[K, V]) FilterNot(drop func(K, V) bool) Stream[K, V] {
	return s.filter("FilterNot", func(k K, v V) bool { return !drop(k, v) })
}

func (s Stream[K, V]) filter(op string, keep func(K, V) bool) Stream[K, V] {
	return streamOf(operator[K, V, K, V]{op: op, keeps: true,
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, V]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error {
				if !keep(r.Key, r.Value) {
					return nil
				}
				return out.Emit(r)
			}
		}}.add(s.def(), dsl.Caller()))
}

// Split sends each record to the first stream if when returns true for it, and
// to the second otherwise. [Stream.Branch] has any number of branches.
func (s Stream[K, V]) Split(when func(K, V) bool) (yes, no Stream[K, V]) {
	at := dsl.Caller()
	// The test runs once: two Filters would call it twice, and a function that
	// is not pure could then lose a record or double it.
	var rest *dsl.StreamDef[K, V]
	first := operator[K, V, K, V]{op: "Split", keeps: true,
		make: func(t *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, V]]) func(dsl.Record[K, V]) error {
			other := dsl.NewPort[dsl.Record[K, V]](t, rest.Node)
			return func(r dsl.Record[K, V]) error {
				if when(r.Key, r.Value) {
					return out.Emit(r)
				}
				return other.Emit(r)
			}
		}}.add(s.def(), at)
	rest = &dsl.StreamDef[K, V]{B: first.B, Rekeyed: first.Rekeyed}
	rest.Node = first.B.Add(topology.Node{Op: "SplitRest", Kind: topology.Processor, At: at, Inputs: []*topology.Node{first.Node}}, nil)
	return streamOf(first), streamOf(rest)
}

// Peek calls f with each record and passes it on.
func (s Stream[K, V]) Peek(f func(K, V)) Stream[K, V] {
	return streamOf(operator[K, V, K, V]{op: "Peek", keeps: true,
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, V]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error {
				f(r.Key, r.Value)
				return out.Emit(r)
			}
		}}.add(s.def(), dsl.Caller()))
}

// Foreach calls f with each record. After a crash f may see records again.
func (s Stream[K, V]) Foreach(f func(K, V)) {
	operator[K, V, K, V]{op: "Foreach", keeps: true,
		make: func(*task.Task, *topology.Node, *dsl.Port[dsl.Record[K, V]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error {
				f(r.Key, r.Value)
				return nil
			}
		}}.add(s.def(), dsl.Caller())
}
