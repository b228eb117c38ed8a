package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Branch divides the stream into any number of named branches: each record goes
// to the first one whose test says true.
//
//	split := orders.Branch()
//	large := split.When("large", isLarge)
//	urgent := split.When("urgent", isUrgent) // and not large
//	rest := split.Otherwise("rest")
//
// A branch is a stream like any other: what Kafka Streams does with
// Branched.withFunction is a call after it. A record that no branch wants and that
// has no Otherwise is left out, which isn't counted as dropping it.
func (s Stream[K, V]) Branch() *Branches[K, V] {
	in, at := s.def(), dsl.Caller()
	b := &Branches[K, V]{in: in, at: at, names: map[string]string{}}
	b.node = in.B.Add(topology.Node{Op: "Branch", Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}},
		func(t *task.Task, n *topology.Node) {
			// The branches are added while the topology is built, and made in a
			// task after this node, so their ports are found with the first record.
			var ports []*dsl.Port[dsl.Record[K, V]]
			in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
				if ports == nil {
					ports = b.ports(t)
				}
				for i := range b.tests {
					if b.tests[i](r.Key, r.Value) {
						return ports[i].Emit(r)
					}
				}
				if b.rest != nil {
					return ports[len(b.tests)].Emit(r)
				}
				return nil
			})
		})
	return b
}

// Branches are the branches of a stream, in the order of the calls of When.
type Branches[K, V any] struct {
	in    *dsl.StreamDef[K, V]
	at    string
	node  *topology.Node
	tests []func(K, V) bool
	outs  []*topology.Node
	rest  *topology.Node
	names map[string]string // where each is used
}

// When is the stream of the records for which test says true, and no branch
// before did. The name is unique among the branches of one stream, and for you:
// Describe and metrics show it.
func (b *Branches[K, V]) When(name string, test func(key K, value V) bool) Stream[K, V] {
	d := b.branch(name, dsl.Caller())
	b.tests, b.outs = append(b.tests, test), append(b.outs, d.Node)
	return streamOf(d)
}

// Otherwise is the stream of the records that no branch wants, whenever it is
// called. A second call is a mistake.
func (b *Branches[K, V]) Otherwise(name string) Stream[K, V] {
	at := dsl.Caller()
	if b.rest != nil {
		b.in.B.Fail(at, "Otherwise(%q): the branches of %s have one already, at %s; a stream can be used twice", name, b.at, b.rest.At)
	}
	d := b.branch(name, at)
	b.rest = d.Node
	return streamOf(d)
}

func (b *Branches[K, V]) branch(name, at string) *dsl.StreamDef[K, V] {
	if old, ok := b.names[name]; ok {
		b.in.B.Fail(at, "branch %q: that name is taken at %s; give each branch of a stream a name of its own", name, old)
	}
	b.names[name] = at
	d := &dsl.StreamDef[K, V]{B: b.in.B, Rekeyed: b.in.Rekeyed}
	d.Node = b.in.B.Add(topology.Node{Op: "When", Name: name, Kind: topology.Processor, At: at, Inputs: []*topology.Node{b.node}},
		func(t *task.Task, n *topology.Node) { dsl.NewPort[dsl.Record[K, V]](t, n) })
	return d
}

// ports are the outputs of the branches in a task, that of Otherwise the last.
func (b *Branches[K, V]) ports(t *task.Task) []*dsl.Port[dsl.Record[K, V]] {
	nodes := b.outs
	if b.rest != nil {
		nodes = append(nodes[:len(nodes):len(nodes)], b.rest)
	}
	ports := make([]*dsl.Port[dsl.Record[K, V]], len(nodes))
	for i, n := range nodes {
		ports[i] = t.Port(n.ID).(*dsl.Port[dsl.Record[K, V]])
	}
	return ports
}
