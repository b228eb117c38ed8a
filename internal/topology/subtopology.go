package topology

import (
	"fmt"
	"slices"
)

// Subtopology is a part of the graph whose nodes call each other directly.
// One task runs it for each partition of its sources.
type Subtopology struct {
	Index   int
	Nodes   []*Node // by id
	Sources []*Node
	Sinks   []*Node
	Stores  []*Store
}

// Subtopologies splits the graph where records pass through a topic. Nodes that
// share a store or read the same topic are in the same part. Global sources belong to no part: every
// instance holds them once.
func (g *Graph) Subtopologies() []*Subtopology {
	root := make([]int, len(g.Nodes))
	for i := range root {
		root[i] = i
	}
	var find func(int) int
	find = func(i int) int {
		if root[i] != i {
			root[i] = find(root[i])
		}
		return root[i]
	}
	// The lower id wins, so that parts are numbered by their first node.
	union := func(a, b int) {
		a, b = find(a), find(b)
		root[max(a, b)] = min(a, b)
	}
	owner := map[*Store]*Node{}
	reader := map[*Topic]*Node{}
	for _, n := range g.Nodes {
		if n.Kind == Global {
			continue
		}
		for _, in := range n.Inputs {
			if in.Kind != Global {
				union(in.ID, n.ID)
			}
		}
		if n.Kind == Source {
			// A partition is read by one task, whatever reads it there.
			if r := reader[n.Topic]; r != nil {
				union(r.ID, n.ID)
			} else {
				reader[n.Topic] = n
			}
		}
		for _, s := range n.Stores {
			if s.Kind == GlobalKV {
				continue
			}
			if o := owner[s]; o != nil {
				union(o.ID, n.ID)
			} else {
				owner[s] = n
			}
		}
	}
	return g.collect(find)
}

func (g *Graph) collect(find func(int) int) []*Subtopology {
	var subs []*Subtopology
	byRoot := map[int]*Subtopology{}
	for _, n := range g.Nodes {
		if n.Kind == Global {
			continue
		}
		s := byRoot[find(n.ID)]
		if s == nil {
			s = &Subtopology{Index: len(subs)}
			byRoot[find(n.ID)] = s
			subs = append(subs, s)
		}
		s.Nodes = append(s.Nodes, n)
		switch n.Kind {
		case Source:
			s.Sources = append(s.Sources, n)
		case Sink:
			s.Sinks = append(s.Sinks, n)
		}
		for _, st := range n.Stores {
			if st.Kind != GlobalKV && !slices.Contains(s.Stores, st) {
				s.Stores = append(s.Stores, st)
			}
		}
	}
	return subs
}

// Counts are numbers of partitions by topic, as Topic.Physical names them.
type Counts map[string]int

// CountError is a number of partitions that does not fit.
type CountError struct {
	Node    *Node
	Problem string
}

func (e *CountError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Node.At, e.Node.Label(), e.Problem)
}

// Resolve gives every repartition topic its number of partitions, from those of
// the external source topics: what the user asked for, else that of the topics
// it must be co-partitioned with, else the largest of the sources it is fed
// from. It returns the numbers of all source topics.
func (g *Graph) Resolve(app string, external Counts) (Counts, error) {
	counts := Counts{}
	subs := g.Subtopologies()
	for _, n := range g.Nodes {
		if (n.Kind == Source || n.Kind == Global) && n.Topic.Role == External {
			c := external[n.Topic.Physical(app)]
			if n.Topic.Pattern != nil {
				continue
			}
			if c <= 0 {
				return nil, &CountError{n, fmt.Sprintf("source topic %q does not exist", n.Topic.Name)}
			}
			counts[n.Topic.Physical(app)] = c
		}
	}
	if err := g.expand(app, external, counts); err != nil {
		return nil, err
	}
	// A repartition topic may feed another, so go on until nothing changes.
	for changed := true; changed; {
		changed = false
		for _, t := range g.Topics {
			if t.Role != Repartition {
				continue
			}
			if c := g.derive(app, t, subs, counts); c > counts[t.Physical(app)] {
				counts[t.Physical(app)] = c
				changed = true
			}
		}
	}
	return counts, g.checkCounts(app, counts)
}

func (g *Graph) derive(app string, t *Topic, subs []*Subtopology, counts Counts) int {
	if t.Partitions > 0 {
		return t.Partitions
	}
	c := 0
	for _, n := range g.Nodes {
		if !n.Copartitioned {
			continue
		}
		feeding := g.sourceTopics(n)
		if !slices.Contains(feeding, t) {
			continue
		}
		for _, f := range feeding {
			// A count that is given (by the user or by an external topic)
			// binds the derived ones beside it.
			if f.Role == External || f.Partitions > 0 {
				return max(f.count(app, counts), f.Partitions)
			}
			c = max(c, f.count(app, counts))
		}
	}
	for _, s := range subs {
		for _, sink := range s.Sinks {
			if sink.Topic != t {
				continue
			}
			for _, src := range s.Sources {
				c = max(c, src.Topic.count(app, counts))
			}
		}
	}
	return c
}

// sourceTopics are the topics whose records reach n within its sub-topology.
func (g *Graph) sourceTopics(n *Node) []*Topic {
	var topics []*Topic
	seen := map[*Node]bool{}
	var walk func(*Node)
	walk = func(n *Node) {
		if seen[n] || n.Kind == Global {
			return
		}
		seen[n] = true
		if n.Kind == Source && !slices.Contains(topics, n.Topic) {
			topics = append(topics, n.Topic)
		}
		for _, in := range n.Inputs {
			walk(in)
		}
	}
	walk(n)
	return topics
}

// checkDeclared is checkCounts as far as the numbers are declared, before a cluster
// is there to ask.
func (g *Graph) checkDeclared() (errs []error) {
	for _, n := range g.Nodes {
		if !n.Copartitioned {
			continue
		}
		var first *Topic
		for _, t := range g.sourceTopics(n) {
			switch {
			case t.Role == External || t.Partitions == 0:
			case first == nil:
				first = t
			case t.Partitions != first.Partitions:
				errs = append(errs, &BuildError{n.At, fmt.Sprintf("%s: its inputs must have the same number of partitions, but topic %q is declared with %d and %q with %d; give both the same topic.Partitions",
					n.Label(), first.Name, first.Partitions, t.Name, t.Partitions)})
			}
		}
	}
	return errs
}

func (g *Graph) checkCounts(app string, counts Counts) error {
	for _, n := range g.Nodes {
		if !n.Copartitioned {
			continue
		}
		var names []string
		for _, t := range g.sourceTopics(n) {
			names = append(names, t.Names(app, counts)...)
		}
		for i := 1; i < len(names); i++ {
			if a, b := counts[names[0]], counts[names[i]]; a != b {
				return &CountError{n, fmt.Sprintf("its inputs must have the same number of partitions, but %q has %d and %q has %d; put Repartition before it on one side, with topic.Partitions of the other's number",
					names[0], a, names[i], b)}
			}
		}
	}
	return nil
}

// Tasks is the number of tasks of s: the largest number of partitions among its
// sources.
func (s *Subtopology) Tasks(app string, counts Counts) int {
	n := 0
	for _, src := range s.Sources {
		n = max(n, src.Topic.count(app, counts))
	}
	return n
}
