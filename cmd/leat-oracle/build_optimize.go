package main

import (
	"slices"
	"strings"
)

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
		merged = streamNode{b.partitionedAll(s, b.relaxed(id)), false}
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

// relaxed reports whether a left or outer join comes after a node, before the next
// repartition topic: Kafka then lets records without a key through (KIP-962), for
// whatever else is there too.
func (b *builder) relaxed(id string) bool {
	return slices.ContainsFunc(b.c.Topology, func(op operator) bool {
		switch op.Op {
		case "repartition", "groupBy", "groupByKey", "table", "toTable":
			return false
		case "streamJoin":
			if op.Type == "left" && op.Left == id || op.Type == "outer" && (op.Left == id || op.Right == id) {
				return true
			}
		case "streamTableJoin":
			if op.Type == "left" && op.Left == id {
				return true
			}
		}
		from := slices.ContainsFunc(append(slices.Clone(op.From), op.Left, op.Right), func(f string) bool {
			base, _, _ := strings.Cut(f, ":")
			return base == id
		})
		return from && op.ID != "" && b.relaxed(op.ID)
	})
}
