package main

import (
	"fmt"

	"github.com/leatstream/leat/stream"
)

// cogroupNode is grouped streams that an aggregate will take together.
type cogroupNode struct {
	inputs []groupedNode
	adds   []aggFunc
	spec   windowSpec // of no type, without a window
}

func (b *builder) cogroup(op *operator) (any, error) {
	n := cogroupNode{}
	if len(op.Aggs) != len(op.From) {
		return nil, fmt.Errorf("%d inputs and %d aggregators", len(op.From), len(op.Aggs))
	}
	for i, id := range op.From {
		in, ok := b.nodes[id].(groupedNode)
		if !ok {
			return nil, fmt.Errorf("there is no grouped stream %q", id)
		}
		add, err := function(aggFuncs, op.Aggs[i])
		if err != nil {
			return nil, err
		}
		n.inputs, n.adds = append(n.inputs, in), append(n.adds, add)
	}
	return n, nil
}

func (b *builder) onCogroup(op *operator, n cogroupNode) (any, error) {
	if op.Op == "windowedBy" {
		n.spec = op.Window
		return n, nil
	}
	if op.Op != "aggregate" {
		return nil, unsupported("%s of a cogroup", op.Op)
	}
	value, err := function(inits, op.Init)
	if err != nil {
		return nil, err
	}
	init := func() *datum { return value }
	c := n.inputs[0].Cogroup(n.adds[0])
	for i, in := range n.inputs[1:] {
		c = c.And(in.Grouped, n.adds[i+1])
	}
	if !b.cached(op) {
		c = c.EmitOnUpdate()
	}
	switch n.spec.Type {
	case "":
		return plainTable(c.Aggregate(b.store(op.Store, "cogroup"), init)), nil
	case "session":
		return b.cogroupSessions(op, n.spec, c, init)
	case "sliding":
		return windowTable(c.SlidingBy(n.spec.sliding(op)).Aggregate(b.windowStore(op), init)), nil
	}
	return windowTable(c.WindowedBy(n.spec.fixed(op)).Aggregate(b.windowStore(op), init)), nil
}

func (b *builder) cogroupSessions(op *operator, spec windowSpec, c stream.Cogrouped[*datum, *datum], init func() *datum) (any, error) {
	m, err := function(mergeFuncs, op.Merge)
	if err != nil {
		return nil, err
	}
	st, w := b.windowStore(op), spec.sessions(op)
	if op.Store != "" {
		b.dumps[op.Store] = dumpSessions(st, sameDatum)
	}
	return windowTable(c.SessionsBy(w).Aggregate(st, init, m)), nil
}
