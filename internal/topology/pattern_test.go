package topology

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func pattern(g *Graph, re string) *Node {
	t := g.Topic(Topic{Name: re, Pattern: regexp.MustCompile("^(?:" + re + ")$")})
	return g.Add(&Node{Op: "Stream", Kind: Source, Topic: t})
}

func TestPattern_Names(t *testing.T) {
	g := &Graph{}
	n := pattern(g, ".*s")
	counts := Counts{"b-s": 2, "as": 1, "other": 4, "__offsets": 9, "app-via-repartitions": 1, "x-counts": 3}
	counts["app-counts-changelog"], counts["app-via-repartition"] = 5, 5
	want := []string{"app-via-repartitions", "as", "b-s", "x-counts"}
	if got := n.Topic.Names("app", counts); !slices.Equal(got, want) {
		t.Errorf("names %v, want %v", got, want)
	}
	all := pattern(&Graph{}, ".*")
	for _, name := range []string{"app-counts-changelog", "app-via-repartition", "__offsets"} {
		if all.Topic.Matches("app", name) {
			t.Errorf("%s is one of leat's or the broker's own", name)
		}
	}
}

func TestPattern_Resolve(t *testing.T) {
	g := &Graph{}
	n := pattern(g, "log-.*")
	via := g.Topic(Topic{Name: "via", Role: Repartition})
	g.Add(&Node{Op: "Repartition", Kind: Sink, Topic: via, Inputs: []*Node{n}})
	g.Add(&Node{Op: "Repartitioned", Kind: Source, Topic: via})
	counts, err := g.Resolve("app", Counts{"log-a": 2, "log-b": 5, "other": 7})
	if err != nil {
		t.Fatal(err)
	}
	if counts["log-b"] != 5 || counts["app-via-repartition"] != 5 || counts["other"] != 0 {
		t.Errorf("counts %v", counts)
	}
	if n := g.Subtopologies()[0].Tasks("app", counts); n != 5 {
		t.Errorf("%d tasks, want 5", n)
	}
	if counts, err = g.Resolve("app", Counts{"other": 7}); err != nil || g.Subtopologies()[0].Tasks("app", counts) != 0 {
		t.Errorf("without a topic that matches: %v, %v", counts, err)
	}
}

func TestPattern_TwoMatch(t *testing.T) {
	g := &Graph{}
	pattern(g, "log-.*")
	pattern(g, ".*-a")
	if _, err := g.Resolve("app", Counts{"log-b": 1}); err != nil {
		t.Error(err)
	}
	if _, err := g.Resolve("app", Counts{"log-a": 1}); err == nil || !strings.Contains(err.Error(), "can be read once only") {
		t.Errorf("Resolve said %v", err)
	}
}
