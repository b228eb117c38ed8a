package state

import (
	"errors"
	"fmt"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

// Store is the declaration of a store: its name and its serdes. It is
// immutable and cheap to copy.
type Store[K, V any] struct {
	name     string
	key      serde.Serde[K]
	value    serde.Serde[V]
	declared string
	options  options
}

// Of is the constraint of methods that take a Store[K, V]: S is that, and never
// anything else, and need not be written. Such a method has a type parameter for
// one reason: what is generic is compiled where it is called, and the other methods
// of a type as often as the program has instances of the type. As a function value
// such a method needs it after all: g.Count[state.Store[string, int64]].
type Of[K, V any] interface{ Store[K, V] }

// New declares a store. The changelog topic is named after the application and
// the store: `<application id>-<name>-changelog`. A mistake is reported when
// the topology is built, with the place of the call to New.
func New[K, V any](name string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Store[K, V] {
	return newStore(name, key, value, opts)
}

func newStore[K, V any](name string, key serde.Serde[K], value serde.Serde[V], opts []Option) Store[K, V] {
	s := Store[K, V]{name: name, key: key, value: value, declared: dsl.Caller()}
	for _, o := range opts {
		o(&s.options)
	}
	return s
}

// Name is the store's name as declared.
func (s Store[K, V]) Name() string { return s.name }

// Key is the serde of the store's keys.
func (s Store[K, V]) Key() serde.Serde[K] { return s.key }

// Value is the serde of the store's values.
func (s Store[K, V]) Value() serde.Serde[V] { return s.value }

// Declared is the place of the call to New: "wordcount/main.go:17".
func (s Store[K, V]) Declared() string { return s.declared }

// Check reports what is wrong with the declaration, or nil.
func (s Store[K, V]) Check() error {
	return check(s.name, s.declared, s.key == nil, s.value == nil)
}

// Join is the declaration of the two stores of a join of two streams: the
// records of either side that the other may still join.
type Join[K, L, R any] struct {
	name     string
	key      serde.Serde[K]
	left     serde.Serde[L]
	right    serde.Serde[R]
	declared string
}

// NewJoin declares the stores of a join. They are named `<name>-left` and
// `<name>-right`.
func NewJoin[K, L, R any](name string, key serde.Serde[K], left serde.Serde[L], right serde.Serde[R]) Join[K, L, R] {
	return Join[K, L, R]{name: name, key: key, left: left, right: right, declared: dsl.Caller()}
}

// Name is the name as declared.
func (j Join[K, L, R]) Name() string { return j.name }

// Key is the serde of the keys of both sides.
func (j Join[K, L, R]) Key() serde.Serde[K] { return j.key }

// Left is the serde of the left side's values.
func (j Join[K, L, R]) Left() serde.Serde[L] { return j.left }

// Right is the serde of the right side's values.
func (j Join[K, L, R]) Right() serde.Serde[R] { return j.right }

// Check reports what is wrong with the declaration, or nil.
func (j Join[K, L, R]) Check() error {
	return check(j.name, j.declared, j.key == nil, j.left == nil || j.right == nil)
}

func check(name, declared string, noKey, noValue bool) error {
	if declared == "" {
		return errors.New("a zero store: declare it with state.New or state.NewJoin")
	}
	if err := topic.CheckName(name); err != nil {
		return fmt.Errorf("%s: store %q: %w", declared, name, err)
	}
	if noKey || noValue {
		return fmt.Errorf("%s: store %q: it needs serdes for its keys and its values", declared, name)
	}
	return nil
}
