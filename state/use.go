package state

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/task"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
)

// Use adds a declared store to a topology under construction; kind and
// retention say how the operator that asks lays it out. It is for leat's own
// packages.
func Use[K, V any](b *dsl.Builder, s Store[K, V], kind topology.StoreKind, retention time.Duration, at string) *topology.Store {
	if err := s.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	return b.Store(topology.Store{Name: s.Name(), Kind: kind, Retention: retention, At: at}, dsl.TypeNames[K, V]())
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

// Attach implements [Declared].
func (s Store[K, V]) Attach(b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	if err := s.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	st, created := b.SharedStore(topology.Store{Name: s.Name(), Kind: topology.KeyValue, At: at}, dsl.TypeNames[K, V]())
	if !created {
		return st, nil
	}
	return st, func(t *task.Task, label string) {
		t.Keep(st.Name, cache.OpenKeyValue(t, cache.Spec[K, V]{Store: st, Label: label, Key: s.Key(), Value: s.Value()}))
	}
}
