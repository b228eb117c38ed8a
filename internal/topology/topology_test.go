package topology_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/topology"
)

// plan builds graphs in few words.
type plan struct{ topology.Graph }

func (p *plan) source(name string) *topology.Node {
	return p.Add(&topology.Node{Op: "Stream", Kind: topology.Source, At: "main.go:1", Topic: p.Topic(topology.Topic{Name: name})})
}

func (p *plan) node(op string, inputs ...*topology.Node) *topology.Node {
	return p.Add(&topology.Node{Op: op, Kind: topology.Processor, At: "main.go:2", Inputs: inputs})
}

func (p *plan) join(inputs ...*topology.Node) *topology.Node {
	n := p.node("Join", inputs...)
	n.Copartitioned = true
	return n
}

func (p *plan) sink(name string, in *topology.Node) {
	p.Add(&topology.Node{Op: "To", Kind: topology.Sink, Inputs: []*topology.Node{in}, Topic: p.Topic(topology.Topic{Name: name})})
}

func (p *plan) repartition(name string, partitions int, in *topology.Node) *topology.Node {
	t := p.Topic(topology.Topic{Name: name, Role: topology.Repartition, Partitions: partitions})
	p.Add(&topology.Node{Op: "Repartition", Kind: topology.Sink, Inputs: []*topology.Node{in}, Topic: t})
	return p.Add(&topology.Node{Op: "Repartitioned", Kind: topology.Source, Topic: t})
}

func (p *plan) global(name string) *topology.Node {
	return p.Add(&topology.Node{Op: "GlobalTable", Kind: topology.Global, Topic: p.Topic(topology.Topic{Name: name})})
}

// parts is the ids of the nodes of each sub-topology: "0 1 | 2".
func (p *plan) parts() string {
	var parts []string
	for _, s := range p.Subtopologies() {
		var ids []string
		for _, n := range s.Nodes {
			ids = append(ids, fmt.Sprint(n.ID))
		}
		parts = append(parts, strings.Join(ids, " "))
	}
	return strings.Join(parts, " | ")
}

func TestSubtopologies(t *testing.T) {
	shared := &topology.Store{Name: "s", Kind: topology.KeyValue}
	cases := map[string]struct {
		build func(p *plan)
		want  string
	}{
		"two chains":         {func(p *plan) { p.node("Filter", p.source("a")); p.node("Filter", p.source("b")) }, "0 1 | 2 3"},
		"a join":             {func(p *plan) { p.join(p.source("a"), p.source("b")) }, "0 1 2"},
		"a topic between":    {func(p *plan) { p.sink("x", p.repartition("via", 0, p.source("a"))) }, "0 1 | 2 3"},
		"a topic read twice": {func(p *plan) { p.source("a"); p.source("b"); p.source("a") }, "0 2 | 1"},
		"a shared store": {func(p *plan) {
			p.source("a").Stores = []*topology.Store{shared}
			p.source("b").Stores = []*topology.Store{shared}
		}, "0 1"},
		"a global table":        {func(p *plan) { g := p.global("g"); p.node("J", p.source("a"), g); p.node("J", p.source("b"), g) }, "1 2 | 3 4"},
		"a late join of chains": {func(p *plan) { a, b := p.source("a"), p.source("b"); p.source("c"); p.node("Merge", b, a) }, "0 1 3 | 2"},
	}
	for name, c := range cases {
		p := &plan{}
		c.build(p)
		if got := p.parts(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestResolve(t *testing.T) {
	external := topology.Counts{"a": 4, "b": 6, "c": 4}
	cases := map[string]struct {
		build func(p *plan)
		topic string
		want  int
	}{
		"as its source":             {func(p *plan) { p.repartition("via", 0, p.source("a")) }, "app-via-repartition", 4},
		"as the largest source":     {func(p *plan) { p.repartition("via", 0, p.node("Merge", p.source("a"), p.source("b"))) }, "app-via-repartition", 6},
		"as asked for":              {func(p *plan) { p.repartition("via", 9, p.source("a")) }, "app-via-repartition", 9},
		"through a chain":           {func(p *plan) { p.repartition("w", 0, p.repartition("via", 0, p.source("b"))) }, "app-w-repartition", 6},
		"a chain with a number":     {func(p *plan) { p.repartition("w", 0, p.repartition("via", 3, p.source("b"))) }, "app-w-repartition", 3},
		"as what it is joined with": {func(p *plan) { p.join(p.repartition("via", 0, p.source("b")), p.source("a")) }, "app-via-repartition", 4},
		"as a number it is joined with": {func(p *plan) {
			p.join(p.repartition("via", 0, p.source("b")), p.repartition("w", 5, p.source("a")))
		}, "app-via-repartition", 5},
		"as the larger of two": {func(p *plan) {
			p.join(p.repartition("via", 0, p.source("a")), p.repartition("w", 0, p.source("b")))
		}, "app-via-repartition", 6},
		"a source": {func(p *plan) { p.source("b") }, "b", 6},
	}
	for name, c := range cases {
		p := &plan{}
		c.build(p)
		counts, err := p.Resolve("app", external)
		if err != nil || counts[c.topic] != c.want {
			t.Errorf("%s: %s has %d partitions, %v; want %d", name, c.topic, counts[c.topic], err, c.want)
		}
	}
}

func TestResolve_Errors(t *testing.T) {
	external := topology.Counts{"a": 4, "b": 6}
	cases := map[string]struct {
		build func(p *plan)
		want  string
	}{
		"no such topic":          {func(p *plan) { p.source("x") }, `main.go:1: Stream#0: source topic "x" does not exist`},
		"no such global topic":   {func(p *plan) { p.global("x") }, `source topic "x" does not exist`},
		"different numbers":      {func(p *plan) { p.join(p.source("a"), p.source("b")) }, `main.go:2: Join#2: its inputs must have the same number of partitions, but "a" has 4 and "b" has 6; put Repartition`},
		"a number that can't be": {func(p *plan) { p.join(p.repartition("via", 5, p.source("a")), p.source("b")) }, `"app-via-repartition" has 5 and "b" has 6`},
		"through a chain":        {func(p *plan) { p.join(p.node("Filter", p.node("Merge", p.source("a"))), p.source("b")) }, `"a" has 4 and "b" has 6`},
	}
	for name, c := range cases {
		p := &plan{}
		c.build(p)
		_, err := p.Resolve("app", external)
		var count *topology.CountError
		if !errors.As(err, &count) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestTasks(t *testing.T) {
	p := &plan{}
	p.node("Merge", p.source("a"), p.source("b"))
	if got := p.Subtopologies()[0].Tasks("app", topology.Counts{"a": 4, "b": 6}); got != 6 {
		t.Errorf("%d tasks, want 6", got)
	}
}

func TestCheck_DeclaredCounts(t *testing.T) {
	for _, second := range []int{4, 5} {
		p := &plan{}
		p.join(p.repartition("v", 4, p.source("a")), p.repartition("w", second, p.source("b")))
		err := p.Check()
		differ := err != nil && strings.Contains(err.Error(), `same number of partitions, but topic "v" is declared with 4 and "w" with 5; give both`)
		if differ != (second != 4) || !differ && err != nil {
			t.Errorf("4 and %d partitions: %v", second, err)
		}
	}
}

func TestCheck_NothingWrites(t *testing.T) {
	p := &plan{}
	p.Add(&topology.Node{Op: "Repartitioned", Kind: topology.Source, At: "main.go:3", Topic: p.Topic(topology.Topic{Name: "via", Role: topology.Repartition})})
	if err := p.Check(); err == nil || err.Error() != `main.go:3: nothing writes to repartition topic "via"` {
		t.Errorf("got %v", err)
	}
}
