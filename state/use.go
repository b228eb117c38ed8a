package state

import (
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Use adds a declared store to a topology under construction; kind and
// retention say how the operator that asks lays it out. It is for leat's own
// packages.
func Use[K, V any](b *dsl.Builder, s Store[K, V], kind topology.StoreKind, retention time.Duration, at string) *topology.Store {
	return b.Store(s.spec(b, kind, retention, at), dsl.TypeNames[K, V]())
}

// spec is the store as a topology knows it.
func (s Store[K, V]) spec(b *dsl.Builder, kind topology.StoreKind, retention time.Duration, at string) topology.Store {
	if err := s.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	if wrong := s.options.wrong(kind); wrong != "" {
		b.Fail(at, "store %q: %s", s.name, wrong)
	}
	st := topology.Store{Name: s.Name(), Kind: kind, Retention: retention, At: at}
	s.options.lay(&st)
	return st
}

// UseJoin adds the two stores of a join of streams. It is for leat's own
// packages.
func UseJoin[K, L, R any](b *dsl.Builder, j Join[K, L, R], retention time.Duration, at string) (left, right *topology.Store) {
	if err := j.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	left = b.Store(topology.Store{Name: j.name + "-left", Kind: topology.Join, Retention: retention, At: at}, dsl.TypeNames[K, L]())
	right = b.Store(topology.Store{Name: j.name + "-right", Kind: topology.Join, Retention: retention, At: at}, dsl.TypeNames[K, R]())
	return left, right
}

// Declared is a declared store, of whatever types: what stream.Stream.Process is
// told that a processor uses.
type Declared interface {
	// Name is the store's name.
	Name() string
	// Attach adds the store to a topology under construction, or finds it
	// there; open then opens it in a task, and is nil if another node does. It
	// is for leat's own packages.
	Attach(b *dsl.Builder, at string) (st *topology.Store, open func(t *task.Task, label string))
}

// Typed is a declared store of keys K and values V, of any kind.
type Typed[K, V any] interface {
	Declared
	// Key is the serde of the store's keys.
	Key() serde.Serde[K]
	// Value is the serde of the store's values.
	Value() serde.Serde[V]
}

// Attach implements [Declared].
func (s Store[K, V]) Attach(b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	if s.options.history > 0 {
		return attachVersioned(s, b, at)
	}
	return attachPlain(s, b, at)
}

func attachPlain[K, V any](s Store[K, V], b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	kind := topology.KeyValue
	if old := b.StoreOf(s.name); old != nil && old.Owned {
		kind = old.Kind
	}
	st, created := b.SharedStore(s.spec(b, kind, 0, at), dsl.TypeNames[K, V]())
	if !created {
		return st, nil
	}
	return st, func(t *task.Task, label string) {
		t.Keep(st.Name, cache.OpenKeyValue(t, cache.Spec[K, V]{Store: st, Label: label, Key: s.Key(), Value: s.Value()}))
	}
}

// AttachAll adds the stores that a processor lists to its node, and returns what
// opens them in a task. It is for leat's own packages.
func AttachAll(b *dsl.Builder, n *topology.Node, stores []Declared) func(t *task.Task, label string) {
	var opens []func(*task.Task, string)
	for _, declared := range stores {
		st, open := declared.Attach(b, n.At)
		n.Stores = append(n.Stores, st)
		if open != nil {
			opens = append(opens, open)
		}
	}
	return func(t *task.Task, label string) {
		for _, open := range opens {
			open(t, label)
		}
	}
}
