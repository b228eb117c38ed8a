package stream

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/topology"
)

// ACL is a right that an app needs on a cluster with access control lists: the
// operations that it does on a resource.
type ACL struct {
	Resource   string // "topic", "group" or "cluster", as kafka-acls calls them
	Name       string
	Prefix     bool // Name is what names begin with
	Operations []string
}

// ACLs lists the rights that an app of this topology and configuration needs, no
// more and in a fixed order. Of the configuration only ApplicationID,
// DeadLetterTopic, OnError and OnDrop count.
//
// Kafka's rights to describe a topic or group come with those to read or write
// it, so they aren't listed. A topic that a pattern stands for has the right by
// the letters that the pattern begins with.
func (t *Topology) ACLs(c Config) []ACL {
	app := c.ApplicationID
	need := rights{}
	need.add("group", app, false, "READ")
	for _, n := range t.plan.Graph.Nodes {
		switch {
		case n.Topic == nil:
		case n.Topic.Role == topology.Repartition:
			// Records that were processed are deleted.
			need.add("topic", n.Topic.Physical(app), false, "CREATE", "READ", "WRITE", "DELETE")
		case n.Kind == topology.Sink:
			need.topic(n.Topic, app, "WRITE")
		default:
			need.topic(n.Topic, app, "READ")
		}
	}
	for _, s := range t.plan.Graph.Stores {
		if s.Logging == topology.Changelog && s.Kind != topology.GlobalKV {
			need.add("topic", s.ChangelogTopic(app), false, "CREATE", "READ", "WRITE")
		}
	}
	if c.OnError != nil || c.OnDrop != nil || c.DeadLetterTopic != "" {
		need.add("topic", cmp.Or(c.DeadLetterTopic, app+"-dead-letters"), false, "WRITE")
	}
	if !need.writes() {
		// Its producer asks for an id all the same, which whoever may write to
		// some topic gets without more.
		need.add("cluster", "kafka-cluster", false, "IDEMPOTENT_WRITE")
	}
	return need.list()
}

// Flags are the flags of Kafka's own kafka-acls for this right:
//
//	kafka-acls --bootstrap-server ... --add --allow-principal User:app FLAGS
func (a ACL) Flags() string {
	var b strings.Builder
	for _, op := range a.Operations {
		fmt.Fprintf(&b, "--operation %s ", op)
	}
	pattern := "literal"
	if a.Prefix {
		pattern = "prefixed"
	}
	switch a.Resource {
	case "cluster":
		b.WriteString("--cluster")
	default:
		fmt.Fprintf(&b, "--%s '%s' --resource-pattern-type %s", a.Resource, a.Name, pattern)
	}
	return b.String()
}

// String is Flags.
func (a ACL) String() string { return a.Flags() }

// rights collects operations by resource.
type rights map[resource]map[string]bool

type resource struct {
	kind, name string
	prefix     bool
}

func (r rights) add(kind, name string, prefix bool, operations ...string) {
	at := resource{kind, name, prefix}
	if r[at] == nil {
		r[at] = map[string]bool{}
	}
	for _, op := range operations {
		r[at][op] = true
	}
}

// topic adds a right to a topic of the user's, or to those a pattern stands for.
func (r rights) topic(t *topology.Topic, app, operation string) {
	if t.Pattern == nil {
		r.add("topic", t.Physical(app), false, operation)
		return
	}
	if text, whole := beginning(t.Pattern); text != "" {
		r.add("topic", text, !whole, operation)
		return
	}
	r.add("topic", "*", false, operation) // every topic
}

// beginning is what every match of a pattern begins with, and whether that is
// all of it.
func beginning(p *regexp.Regexp) (text string, whole bool) {
	parsed, err := syntax.Parse(p.String(), syntax.Perl)
	if err != nil {
		return "", false // it was compiled before
	}
	return literalPrefix(parsed.Simplify())
}

// literalPrefix is what every match of re begins with, and whether that is all
// of it.
func literalPrefix(re *syntax.Regexp) (text string, whole bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return "", false
		}
		return string(re.Rune), true
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText:
		return "", true
	case syntax.OpCapture:
		return literalPrefix(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			t, all := literalPrefix(sub)
			text += t
			if !all {
				return text, false
			}
		}
		return text, true
	default:
		return "", false
	}
}

func (r rights) writes() bool {
	for _, operations := range r {
		if operations["WRITE"] {
			return true
		}
	}
	return false
}

// list puts the rights in order.
func (r rights) list() []ACL {
	var list []ACL
	for at, operations := range r {
		a := ACL{Resource: at.kind, Name: at.name, Prefix: at.prefix}
		for _, op := range [...]string{"CREATE", "READ", "WRITE", "DELETE", "IDEMPOTENT_WRITE"} {
			if operations[op] {
				a.Operations = append(a.Operations, op)
			}
		}
		list = append(list, a)
	}
	kinds := []string{"cluster", "group", "topic"}
	slices.SortFunc(list, func(a, b ACL) int {
		return cmp.Or(
			cmp.Compare(slices.Index(kinds, a.Resource), slices.Index(kinds, b.Resource)),
			cmp.Compare(a.Name, b.Name),
		)
	})
	return list
}
