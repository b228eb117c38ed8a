package stream

import (
	"iter"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// MapValues replaces each value by f(value). The key stays, so no repartition
// is needed after it.
func (s Stream[K, V]) MapValues[VR any](f func(V) VR) Stream[K, VR] {
	return streamOf(operator[K, V, K, VR]{op: "MapValues", keeps: true,
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, VR]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error { return out.Emit(valued(r, f(r.Value))) }
		}}.add(s.def(), dsl.Caller()))
}

// MapValuesWithKey replaces each value by f(key, value); the key stays.
func (s Stream[K, V]) MapValuesWithKey[VR any](f func(K, V) VR) Stream[K, VR] {
	return streamOf(operator[K, V, K, VR]{op: "MapValuesWithKey", keeps: true,
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, VR]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error { return out.Emit(valued(r, f(r.Key, r.Value))) }
		}}.add(s.def(), dsl.Caller()))
}

// Map replaces each record's key and value. It changes the key: before an
// operator that relies on it, put Repartition.
func (s Stream[K, V]) Map[KR, VR any](f func(K, V) (KR, VR)) Stream[KR, VR] {
	return streamOf(operator[K, V, KR, VR]{op: "Map",
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[KR, VR]]) func(dsl.Record[K, V]) error {
			isNull := nullKey[KR]()
			return func(r dsl.Record[K, V]) error {
				k, v := f(r.Key, r.Value)
				return out.Emit(keyed(isNull, r, k, v))
			}
		}}.add(s.def(), dsl.Caller()))
}

// SelectKey replaces each record's key. Before an operator that relies on the
// new key, put Repartition.
func (s Stream[K, V]) SelectKey[KR any](f func(K, V) KR) Stream[KR, V] {
	return streamOf(operator[K, V, KR, V]{op: "SelectKey",
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[KR, V]]) func(dsl.Record[K, V]) error {
			isNull := nullKey[KR]()
			return func(r dsl.Record[K, V]) error { return out.Emit(keyed(isNull, r, f(r.Key, r.Value), r.Value)) }
		}}.add(s.def(), dsl.Caller()))
}

// FlatMapValues replaces each record by one for each value that f yields; the
// key stays.
func (s Stream[K, V]) FlatMapValues[VR any](f func(V) iter.Seq[VR]) Stream[K, VR] {
	return streamOf(operator[K, V, K, VR]{op: "FlatMapValues", keeps: true,
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, VR]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error {
				for v := range f(r.Value) {
					if err := out.Emit(valued(r, v)); err != nil {
						return err
					}
				}
				return nil
			}
		}}.add(s.def(), dsl.Caller()))
}

// FlatMapValuesWithKey replaces each record by one for each value that f yields
// for its key and value; the key stays.
func (s Stream[K, V]) FlatMapValuesWithKey[VR any](f func(K, V) iter.Seq[VR]) Stream[K, VR] {
	return streamOf(operator[K, V, K, VR]{op: "FlatMapValuesWithKey", keeps: true,
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[K, VR]]) func(dsl.Record[K, V]) error {
			return func(r dsl.Record[K, V]) error {
				for v := range f(r.Key, r.Value) {
					if err := out.Emit(valued(r, v)); err != nil {
						return err
					}
				}
				return nil
			}
		}}.add(s.def(), dsl.Caller()))
}

// FlatMap replaces each record by one for each key and value that f yields.
// Before an operator that relies on the new keys, put Repartition.
func (s Stream[K, V]) FlatMap[KR, VR any](f func(K, V) iter.Seq2[KR, VR]) Stream[KR, VR] {
	return streamOf(operator[K, V, KR, VR]{op: "FlatMap",
		make: func(_ *task.Task, _ *topology.Node, out *dsl.Port[dsl.Record[KR, VR]]) func(dsl.Record[K, V]) error {
			isNull := nullKey[KR]()
			return func(r dsl.Record[K, V]) error {
				for k, v := range f(r.Key, r.Value) {
					if err := out.Emit(keyed(isNull, r, k, v)); err != nil {
						return err
					}
				}
				return nil
			}
		}}.add(s.def(), dsl.Caller()))
}
