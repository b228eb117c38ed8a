package archtest

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestArchitecture holds the repository against every rule.
func TestArchitecture(t *testing.T) {
	tree, err := Load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Go) < 20 {
		t.Fatalf("only %d files of Go were found: is this the repository?", len(tree.Go))
	}
	excuses, err := parseExceptions(exceptions)
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range Rules {
		t.Run(rule.Name, func(t *testing.T) {
			if found := excuse(rule.Name, rule.Check(tree), excuses); len(found) > 0 {
				t.Error(explain(rule, found))
			}
		})
	}
	for _, e := range excuses {
		if !slices.ContainsFunc(Rules, func(r Rule) bool { return r.Name == e.rule }) {
			t.Errorf("an exception to %s: there is no such rule", e.rule)
		}
	}
}

// explain is the rule in full and what was found, in order of files.
func explain(rule Rule, found []Finding) string {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	var b strings.Builder
	b.WriteString("\n" + rule.Why + "\n\n")
	for _, f := range found {
		b.WriteString("\t" + f.String() + "\n")
	}
	return b.String()
}
