package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Merge interleaves streams. Records of one partition come in the order of their
// timestamps where the streams are read by the same task, and keep the order of
// their own stream in any case.
func (s Stream[K, V]) Merge(others ...Stream[K, V]) Stream[K, V] {
	first := s.def()
	d := &dsl.StreamDef[K, V]{B: first.B, Rekeyed: first.Rekeyed}
	defs := []*dsl.StreamDef[K, V]{first}
	inputs := []*topology.Node{first.Node}
	for _, other := range others {
		in := other.def()
		defs, inputs = append(defs, in), append(inputs, in.Node)
		if d.Rekeyed == "" {
			d.Rekeyed = in.Rekeyed
		}
	}
	d.Node = d.B.Add(topology.Node{Op: "Merge", Kind: topology.Processor, At: dsl.Caller(), Inputs: inputs},
		func(t *task.Task, n *topology.Node) {
			port := dsl.NewPort[dsl.Record[K, V]](t, n)
			for _, in := range defs {
				in.Out(t).Subscribe(n, port.Emit)
			}
		})
	return streamOf(d)
}
