package main

import (
	"slices"
	"strings"
)

// unfit is why a case has no answer that must come out of any run, "" if it has.
// stopped says that the case ends with a failure.
func unfit(c *testCase, stopped bool) string {
	f := c.Config
	uses := func(ok func(op *operator) bool) bool {
		for i := range c.Topology {
			if ok(&c.Topology[i]) {
				return true
			}
		}
		return false
	}
	fn := func(names ...string) bool {
		return uses(func(op *operator) bool { return slices.Contains(names, op.Fn) })
	}
	wall := uses(func(op *operator) bool { return op.Clock == "wall" })
	switch {
	case stopped:
		return "it fails"
	case f.DeserializationHandler+f.ProcessingHandler+f.ProductionHandler+f.DLQTopic != "":
		return "records fail"
	case wall || f.OuterJoinEmitIntervalMs+f.WindowCloseEmitIntervalMs > 0:
		return "the wall clock counts"
	case forgets(c):
		return "a processor forgets something in a restart"
	case fn("meta"):
		return "it tells of offsets"
	case uses(func(op *operator) bool { return op.TopicFn != "" }):
		return "it finds out as it goes what topics there are"
	case len(sinks(c)) == 0:
		return "it writes to no topic"
	case caches(c) && !converges(c):
		return "it gathers until a commit, and what it emits then is counted"
	}
	return ""
}

// sinks are the topics that a case writes to, and how many nodes write.
func sinks(c *testCase) map[string]int {
	b := newBuilder(c)
	if _, err := b.topology(true); err != nil {
		return nil
	}
	n := map[string]int{}
	for _, name := range b.sinks {
		n[name]++
	}
	return n
}

// caches reports whether tables of a case emit on commit.
func caches(c *testCase) bool {
	return c.Config.Cache || slices.ContainsFunc(c.Topology, func(op operator) bool { return op.Cache != nil && *op.Cache })
}

// converges reports whether the last rows of a case's tables don't depend on how
// many of the rows before them were seen. Sums and lists of rows may, if what is
// taken away isn't what was added.
func converges(c *testCase) bool {
	grouped := map[string]bool{} // nodes that are grouped tables
	tables := tableNodes(c)
	for i := range c.Topology {
		op := &c.Topology[i]
		switch op.Op {
		case "toStream", "suppress", "streamJoin", "streamTableJoin", "process", "processValues", "transformValues", "fkJoin", "cogroup":
			return false
		case "groupBy":
			grouped[op.ID] = len(op.From) == 1 && tables[op.From[0]]
		case "reduce", "aggregate":
			if len(op.From) == 1 && grouped[op.From[0]] {
				return false
			}
		}
		if op.VersionedHistoryMs != nil || op.RetentionMs != nil || op.Emit != "" {
			return false
		}
	}
	return true
}

// tableNodes are the nodes that are tables.
func tableNodes(c *testCase) map[string]bool {
	tables := map[string]bool{}
	for _, op := range c.Topology {
		switch op.Op {
		case "table", "toTable", "count", "reduce", "aggregate", "tableJoin", "fkJoin", "suppress":
			tables[op.ID] = true
		case "filter", "filterNot", "mapValues", "transformValues":
			tables[op.ID] = len(op.From) == 1 && tables[op.From[0]]
		}
	}
	return tables
}

// partitionable reports whether the answer doesn't depend on the number of
// partitions: neither on stream time, which each task has for itself, nor on a
// join. (A case's topics and its repartition topics write the same key in
// different ways, so they aren't partitioned alike.)
func partitionable(c *testCase) bool {
	return !slices.ContainsFunc(c.Topology, func(op operator) bool {
		switch op.Op {
		case "windowedBy", "suppress", "cogroup", "process", "processValues":
			return true
		}
		return strings.HasSuffix(op.Op, "Join") || op.VersionedHistoryMs != nil || op.Fn == "changeCounter"
	})
}
