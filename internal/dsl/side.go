package dsl

import (
	"slices"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Side is the stream of the records that node n takes from a stream of K and V
// and drops.
func Side[K, V any](b *Builder, n *topology.Node, at string) *StreamDef[K, V] {
	inputs := b.inputsOf(n, TypeNames[K, V]())
	if len(inputs) == 0 {
		b.Fail(at, "%s reads no stream of %s; ask for what it drops with the types of a stream that it reads", n.Label(), TypeNames[K, V]())
	}
	// What was dropped has the key it had: whether that is the one it is
	// partitioned by is known of the input only.
	d := &StreamDef[K, V]{B: b}
	d.Node = b.Add(topology.Node{Op: "Dropped", Name: n.Name, Kind: topology.Processor, At: at, Inputs: []*topology.Node{n}},
		func(t *task.Task, side *topology.Node) {
			port := NewPort[Record[K, V]](t, side)
			watch := t.Watch(n.Label())
			for _, in := range inputs {
				t.Port(in.ID).(*Port[Record[K, V]]).divert(n, watch, func(r Record[K, V], reason string) error {
					return withReason(t.Meta(), reason, func() error { return port.Emit(r) })
				})
			}
		})
	return d
}

// withReason emits with one more header.
func withReason(m *record.Meta, reason string, emit func() error) error {
	headers := m.Headers
	m.Headers = append(slices.Clip(headers), record.Header{Key: task.HeaderReason, Value: []byte(reason)})
	err := emit()
	m.Headers = headers
	return err
}

// divert sends what node n drops elsewhere too.
func (p *Port[R]) divert(n *topology.Node, watch *task.Watch, side func(R, string) error) {
	for i := range p.subs {
		s := &p.subs[i]
		if s.node != n.ID {
			continue
		}
		s.watch = watch
		if first := s.side; first != nil {
			s.side = func(r R, reason string) error {
				if err := first(r, reason); err != nil {
					return err
				}
				return side(r, reason)
			}
			continue
		}
		s.side = side
	}
}

// inputsOf are the inputs of n that are streams of the given types.
func (b *Builder) inputsOf(n *topology.Node, types string) []*topology.Node {
	var inputs []*topology.Node
	for _, in := range n.Inputs {
		if b.streams[in] == types {
			inputs = append(inputs, in)
		}
	}
	return inputs
}

// tell hands a record that node n has dropped after its turn to who asked for it.
func (p *Port[R]) tell(n *topology.Node, r R) error {
	for i := range p.subs {
		if s := &p.subs[i]; s.node == n.ID && s.side != nil {
			return s.side(r, s.watch.Reason)
		}
	}
	return nil
}
