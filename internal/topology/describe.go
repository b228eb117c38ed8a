package topology

import (
	"fmt"
	"strings"
)

// Describe prints the graph: one block for each sub-topology, one line for each
// node with its stores and where its records go. The text depends on the
// topology alone, so that it can be kept in a file and compared.
func (g *Graph) Describe() string {
	var b strings.Builder
	for _, s := range g.Subtopologies() {
		fmt.Fprintf(&b, "sub-topology %d\n", s.Index)
		for _, n := range s.Nodes {
			describeNode(&b, n)
		}
	}
	for _, n := range g.Nodes {
		if n.Kind == Global {
			fmt.Fprintf(&b, "global\n")
			describeNode(&b, n)
		}
	}
	return b.String()
}

func describeNode(b *strings.Builder, n *Node) {
	fmt.Fprintf(b, "  %2d %s", n.ID, n.Op)
	switch {
	case n.Topic != nil && n.Kind == Sink:
		fmt.Fprintf(b, " -> topic %s", describeTopic(n.Topic))
	case n.Topic != nil:
		fmt.Fprintf(b, " <- topic %s", describeTopic(n.Topic))
	}
	for i, s := range n.Stores {
		sep := ","
		if i == 0 {
			sep = " ["
		}
		fmt.Fprintf(b, "%s%s store %s", sep, s.Kind, s.Name)
	}
	if len(n.Stores) > 0 {
		b.WriteString("]")
	}
	for i, o := range n.Outputs {
		sep := ","
		if i == 0 {
			sep = " ->"
		}
		fmt.Fprintf(b, "%s %d", sep, o.ID)
	}
	b.WriteString("\n")
}

func describeTopic(t *Topic) string {
	if t.Role == Repartition {
		return "<app>-" + t.Name + "-repartition"
	}
	return t.Name
}
