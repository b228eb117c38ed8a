package topic

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/leatstream/leat/serde"
)

// Topic is a topic's name and the serdes of its keys and values. It is
// immutable, and cheap to copy. The zero Topic is invalid, which Check says.
type Topic[K, V any] struct {
	name     string
	key      serde.Serde[K]
	value    serde.Serde[V]
	declared string
	options  options
	funcs    *funcs[K, V] // never changed once a Topic has it; nil if there are none
}

// New declares a topic. K and V are inferred from the serdes. It never fails:
// an invalid declaration is reported by [Topic.Check], which building a
// topology calls, together with the place of the call to New.
func New[K, V any](name string, key serde.Serde[K], value serde.Serde[V], opts ...Option) Topic[K, V] {
	return declare(name, key, value, opts)
}

// declare is called by what the user calls.
func declare[K, V any](name string, key serde.Serde[K], value serde.Serde[V], opts []Option) Topic[K, V] {
	t := Topic[K, V]{name: name, key: key, value: value, declared: "unknown place"}
	if _, file, line, ok := runtime.Caller(2); ok {
		// The folder tells one main.go from the other; the rest of the path is
		// only where somebody built it.
		dir := filepath.Base(filepath.Dir(file))
		t.declared = filepath.ToSlash(filepath.Join(dir, filepath.Base(file))) + ":" + strconv.Itoa(line)
	}
	for _, opt := range opts {
		opt(&t.options)
	}
	return t
}

// Name is the topic's name as declared. For a repartition topic it is the
// middle of the name on the broker.
func (t Topic[K, V]) Name() string { return t.name }

// Key is the serde of the topic's keys.
func (t Topic[K, V]) Key() serde.Serde[K] { return t.key }

// Value is the serde of the topic's values.
func (t Topic[K, V]) Value() serde.Serde[V] { return t.value }

// Partitions is the number declared by the option [Partitions], 0 without it.
func (t Topic[K, V]) Partitions() int { return t.options.partitions }

// Declared is the place of the call to New, for texts of errors:
// "wordcount/main.go:17".
func (t Topic[K, V]) Declared() string { return t.declared }

// String is the topic's name.
func (t Topic[K, V]) String() string { return t.name }

// Check reports what is wrong with the declaration, all of it, or nil. Each
// error is an *[Error].
func (t Topic[K, V]) Check() error {
	if t.declared == "" {
		return &Error{Topic: t.name, Declared: "nowhere", Problem: "a zero Topic: declare it with topic.New"}
	}
	var errs []error
	report := func(problem string) {
		errs = append(errs, &Error{Topic: t.name, Declared: t.declared, Problem: problem})
	}
	if problem := t.checkName(); problem != nil {
		report(problem.Error())
	}
	if t.key == nil {
		report("no serde for its keys")
	}
	if t.value == nil {
		report("no serde for its values")
	}
	// Kafka's partition numbers are 32 bits; it has other limits long before.
	if n := t.options.partitions; t.options.partitionsSet && (n < 1 || n > 1<<31-1) {
		report(fmt.Sprintf("%d partitions: want at least 1", n))
	}
	if s := t.options.start; s.From == Back && s.Back <= 0 {
		report(fmt.Sprintf("it begins %v back: want more than 0", s.Back))
	}
	if f := t.funcs; f != nil && f.partition != nil && f.spread != nil {
		report("both PartitionedBy and SpreadBy: one of them can decide")
	}
	return errors.Join(errs...)
}

// Error is a mistake in the declaration of a topic.
type Error struct {
	Topic    string // its name, which may be what is wrong
	Declared string // the place of the call to New
	Problem  string
}

// Error is one line: place, topic and problem.
func (e *Error) Error() string {
	return fmt.Sprintf("%s: topic %q: %s", e.Declared, e.Topic, e.Problem)
}
