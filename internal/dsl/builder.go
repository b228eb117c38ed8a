package dsl

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// Builder collects the nodes of one topology. It is used by one goroutine.
type Builder struct {
	Plan *task.Plan
	// LikeKafka asks operators for Kafka Streams' answer where leat's is
	// another one on purpose.
	LikeKafka bool
	// SelfJoins is, with LikeKafka, whether a join of a stream with itself is an
	// operator of its own.
	SelfJoins bool
	// UnmatchedIntervalMS is, with LikeKafka, how often at most joins of streams
	// look for records that have joined none.
	UnmatchedIntervalMS int64
	// CloseIntervalMS is, with LikeKafka, how often at most a table that emits
	// on close looks for closed windows, by the wall clock.
	CloseIntervalMS int64

	sources map[*topology.Topic]any   // *StreamDef of a topic that is read already
	shared  map[string]sharedStore    // stores that processors may share
	streams map[*topology.Node]string // types of the streams that nodes make
}

type sharedStore struct {
	store *topology.Store
	types string
}

// NewBuilder returns an empty builder.
func NewBuilder() *Builder {
	return &Builder{
		Plan:    &task.Plan{Graph: &topology.Graph{}},
		sources: map[*topology.Topic]any{},
		shared:  map[string]sharedStore{},
		streams: map[*topology.Node]string{},
	}
}

// Add adds a node and what it does in a task.
func (b *Builder) Add(n topology.Node, mk func(*task.Task, *topology.Node)) *topology.Node {
	node := b.Plan.Graph.Add(&n)
	var f func(*task.Task)
	if mk != nil {
		f = func(t *task.Task) { mk(t, node) }
	}
	b.Plan.Make = append(b.Plan.Make, f)
	return node
}

// Fail reports a mistake of the user's.
func (b *Builder) Fail(at, format string, args ...any) { b.Plan.Graph.Fail(at, format, args...) }

// Caller is file:line of the first caller outside leat's own packages.
func Caller() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !own(f) || !more {
			return filepath.ToSlash(filepath.Join(filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File))) + fmt.Sprintf(":%d", f.Line)
		}
	}
}

// own reports whether a frame is one of leat's packages, rather than an
// application or a test.
func own(f runtime.Frame) bool {
	if strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	for _, p := range [...]string{"stream.", "table.", "state.", "internal/"} {
		if strings.HasPrefix(f.Function, "github.com/leatstream/leat/"+p) {
			return true
		}
	}
	return false
}

// TypeNames is "string, int64" for the type arguments.
func TypeNames[K, V any]() string {
	return reflect.TypeFor[K]().String() + ", " + reflect.TypeFor[V]().String()
}

// UseTopic adds a topic to the graph, and reports a bad declaration.
func UseTopic[K, V any](b *Builder, t topic.Topic[K, V], role topology.Role, at string) *topology.Topic {
	if err := t.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	return b.Plan.Graph.Topic(topology.Topic{
		Name: t.Name(), Role: role, Partitions: t.Partitions(), At: at, Types: TypeNames[K, V](),
		Pattern: t.Pattern(), Start: t.Start(),
	})
}

// Store adds a store that one operator owns.
func (b *Builder) Store(s topology.Store, types string) *topology.Store {
	s.Owned = true
	return b.add(s, types)
}

func (b *Builder) add(s topology.Store, types string) *topology.Store {
	st := b.Plan.Graph.Store(s)
	b.shared[s.Name] = sharedStore{st, types}
	return st
}

// SharedStore is the store of that name, which several processors may share:
// the one that is there, if its types and its kind are the same, or a new one. It
// reports whether it is new. The store of an operator, which processors read, may
// be of any kind but those of joins.
func (b *Builder) SharedStore(s topology.Store, types string) (st *topology.Store, created bool) {
	old, ok := b.shared[s.Name]
	if !ok {
		return b.add(s, types), true
	}
	if old.types != types {
		b.Fail(s.At, "store %q holds %s here and %s at %s; use one declaration of it in both places", s.Name, types, old.types, old.store.At)
	}
	k := old.store.Kind
	if k == topology.Join || k == topology.GlobalKV || k != s.Kind && !old.store.Owned {
		b.Fail(s.At, "store %q is the %s store of the operator at %s, and here it is to be a %s store; declare another with state.New", s.Name, k, old.store.At, s.Kind)
	}
	return old.store, false
}

// StoreOf is the store of that name that is there already, nil if none.
func (b *Builder) StoreOf(name string) *topology.Store { return b.shared[name].store }
