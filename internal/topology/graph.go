package topology

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/leatstream/leat/topic"
)

// Kind tells what a node does at the border of its sub-topology.
type Kind uint8

// The kinds of nodes.
const (
	Source    Kind = iota // reads a topic
	Processor             // reads other nodes
	Sink                  // writes a topic
	Global                // reads every partition of a topic on every instance
)

// Node is one operator.
type Node struct {
	ID      int    // its index in Graph.Nodes; inputs have lower ids
	Op      string // what it does, as its method is called: "Filter"
	Name    string // the topic or store that names it, or ""
	Kind    Kind
	At      string // file:line of the call that made it
	Inputs  []*Node
	Outputs []*Node
	Topic   *Topic   // of a source, sink or global
	Stores  []*Store // that it reads or writes
	// Copartitioned says that its inputs must agree on the number of
	// partitions, since it brings together records of one key.
	Copartitioned bool
	// First says that a source is read to its end, as of the start of a task,
	// before the task takes records of others.
	First bool
	// Idle is the silence of a source after which the wall clock moves stream
	// time on; 0 is never.
	Idle time.Duration
}

// Label names the node in errors, metrics and Describe: "Count(counts)".
func (n *Node) Label() string {
	if n.Name == "" {
		return fmt.Sprintf("%s#%d", n.Op, n.ID)
	}
	return n.Op + "(" + n.Name + ")"
}

// Role tells who owns a topic.
type Role uint8

// The roles of topics.
const (
	External    Role = iota // the user's
	Repartition             // leat's, between two sub-topologies
)

// Topic is a topic that the graph reads or writes.
type Topic struct {
	Name       string
	Role       Role
	Partitions int    // asked for by the user; 0: derived
	At         string // where it was first used
	Types      string // Go types of key and value, for the check of a second use
	// Pattern, of a source, stands for all topics whose names match it.
	Pattern *regexp.Regexp
	Start   topic.Start // where reading begins
}

// Physical is the topic's name on the broker.
func (t *Topic) Physical(app string) string {
	if t.Role == Repartition {
		return app + "-" + t.Name + "-repartition"
	}
	return t.Name
}

// StoreKind tells how a store is laid out.
type StoreKind string

// The kinds of stores.
const (
	KeyValue StoreKind = "key-value"
	Window   StoreKind = "window"
	Session  StoreKind = "session"
	Join     StoreKind = "join"
	GlobalKV StoreKind = "global"
	Timers   StoreKind = "timers"
	Buffer   StoreKind = "buffer"
	// Versioned keeps the versions of each row for a time.
	Versioned StoreKind = "versioned"
)

// Logging tells where the truth of a store is kept.
type Logging uint8

// The ways of logging a store.
const (
	Changelog Logging = iota // a changelog topic of its own
	FromInput                // the topic it is read from
	Unlogged                 // nowhere: lost with the disk
)

// Store is a store that nodes share.
type Store struct {
	Name      string
	Kind      StoreKind
	Logging   Logging
	Input     *Topic        // with FromInput
	Retention time.Duration // of windows, sessions and join buffers, the history of versions; 0: for ever
	TTL       time.Duration // the life of a row; 0: for ever
	WallTTL   bool          // TTL goes by the time of writing, not by timestamps
	Capacity  int           // rows for each task; 0: no bound
	InMemory  bool          // not on disk
	OnDemand  bool          // Kafka Streams would make none before it is needed
	Owned     bool          // written by the operator it belongs to, read by processors
	At        string
}

// ChangelogTopic is the name on the broker of the topic that restores the
// store, "" if there is none.
func (s *Store) ChangelogTopic(app string) string {
	switch s.Logging {
	case Changelog:
		return app + "-" + s.Name + "-changelog"
	case FromInput:
		return s.Input.Physical(app)
	}
	return ""
}

// Graph is the whole application. The zero value is empty and ready.
type Graph struct {
	Nodes  []*Node
	Topics []*Topic
	Stores []*Store

	errs []error
}

// Add appends n, gives it its id and links it to its inputs.
func (g *Graph) Add(n *Node) *Node {
	n.ID = len(g.Nodes)
	g.Nodes = append(g.Nodes, n)
	for _, in := range n.Inputs {
		in.Outputs = append(in.Outputs, n)
	}
	return n
}

// Fail records a mistake of the user's at a call; Check reports all of them.
// The same mistake, met twice, is reported once.
func (g *Graph) Fail(at, format string, args ...any) {
	e := &BuildError{At: at, Problem: fmt.Sprintf(format, args...)}
	for _, old := range g.errs {
		if old.Error() == e.Error() {
			return
		}
	}
	g.errs = append(g.errs, e)
}

// BuildError is one mistake in a topology.
type BuildError struct {
	At      string // file:line of the call
	Problem string // what is wrong and how to mend it
}

func (e *BuildError) Error() string { return e.At + ": " + e.Problem }

// Topic returns the declared topic, and reports a second declaration of the
// name with other types or another role.
func (g *Graph) Topic(want Topic) *Topic {
	for _, t := range g.Topics {
		if t.Name != want.Name || t.Role != want.Role {
			continue
		}
		if t.Types != want.Types {
			g.Fail(want.At, "topic %q holds %s here and %s at %s; use one declaration of it in both places", t.Name, want.Types, t.Types, t.At)
		}
		if t.Start != want.Start || (t.Pattern == nil) != (want.Pattern == nil) {
			g.Fail(want.At, "topic %q is declared otherwise here than at %s; use one declaration of it in both places", t.Name, t.At)
		}
		return t
	}
	t := &want
	g.Topics = append(g.Topics, t)
	return t
}

// Store adds a store; a second store of that name is a mistake, since the name
// is that of its changelog too.
func (g *Graph) Store(s Store) *Store {
	for _, old := range g.Stores {
		if old.Name == s.Name {
			g.Fail(s.At, "store %q is already used at %s; every stateful operator needs a store of its own, so declare another with state.New", s.Name, old.At)
			return old
		}
	}
	p := &s
	g.Stores = append(g.Stores, p)
	return p
}

// Users are the nodes that read or write a store, in the order they were added.
func (g *Graph) Users(s *Store) []*Node {
	var users []*Node
	for _, n := range g.Nodes {
		for _, used := range n.Stores {
			if used == s {
				users = append(users, n)
			}
		}
	}
	return users
}

// Check returns every mistake found, joined, or nil.
func (g *Graph) Check() error {
	errs := append([]error(nil), g.errs...)
	errs = append(errs, g.checkPatterns()...)
	errs = append(errs, g.checkDeclared()...)
	sources := 0
	for _, n := range g.Nodes {
		if n.Kind == Source || n.Kind == Global {
			sources++
		}
		if n.Kind == Source && n.Topic.Role == Repartition && !g.written(n.Topic) {
			errs = append(errs, &BuildError{n.At, fmt.Sprintf("nothing writes to repartition topic %q", n.Topic.Name)})
		}
	}
	if sources == 0 {
		errs = append(errs, errors.New("the topology reads no topic; begin it with Builder.Stream, Table or GlobalTable"))
	}
	return errors.Join(errs...)
}

func (g *Graph) written(t *Topic) bool {
	for _, n := range g.Nodes {
		if n.Kind == Sink && n.Topic == t {
			return true
		}
	}
	return false
}
