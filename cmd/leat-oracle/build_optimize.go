package main

import "slices"

// feeds is what an operator gets of a node. Kafka's topology.optimization=all puts
// one repartition topic right behind an operator that changes keys, in place of
// those that its descendants would have: they all, with what lies between, are
// behind it. leat has its repartition topics where the app puts them, so that is a
// matter of how the case is read.
func (b *builder) feeds(id string, op *operator) (any, bool) {
	if late, ok := b.late[id]; ok {
		delete(b.late, id)
		if err := b.add(late); err != nil {
			b.err = err
		}
	}
	n, ok := b.nodes[id]
	s, isStream := n.(streamNode)
	if b.c.Config.Optimize != "all" || !isStream || !s.rekeyed || !b.rekeys(id) || !b.repartitions(op, id) {
		return n, ok
	}
	merged, ok := b.merged[id]
	if !ok {
		merged = streamNode{b.partitioned(s), false}
		b.merged[id] = merged
	}
	return merged, true
}

// waits reports whether a node is only built when another one needs it: what lies
// between a node and the repartition topics of its descendants comes behind it in
// the order of those.
func (b *builder) waits(op *operator) bool {
	if b.c.Config.Optimize != "all" || len(op.From) != 1 || op.ID == "" || !b.rekeys(op.From[0]) || !b.repartitions(op, op.From[0]) {
		return false
	}
	switch op.Op {
	case "filter", "filterNot", "mapValues", "flatMapValues", "peek", "processValues":
		b.late[op.ID] = op
		return true
	}
	return false
}

// rekeys reports whether a node changes keys itself.
func (b *builder) rekeys(id string) bool {
	return slices.ContainsFunc(b.c.Topology, func(op operator) bool {
		return op.ID == id && slices.Contains([]string{"map", "flatMap", "selectKey", "process"}, op.Op)
	})
}

// repartitions reports whether an operator needs what comes from a node partitioned
// by its new key, or one after it does.
func (b *builder) repartitions(op *operator, from string) bool {
	switch op.Op {
	case "groupByKey", "streamJoin", "toTable":
		return true
	case "streamTableJoin":
		return op.Left == from
	case "filter", "filterNot", "mapValues", "flatMapValues", "peek", "processValues", "streamGlobalJoin":
		return slices.ContainsFunc(b.c.Topology, func(next operator) bool {
			return (slices.Contains(next.From, op.ID) || next.Left == op.ID || next.Right == op.ID) && b.repartitions(&next, op.ID)
		})
	}
	return false
}
