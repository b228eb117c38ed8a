package state

import (
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Seen is the declaration of what a deduplication remembers: which ids have passed
// it, and when.
type Seen[I any] struct {
	name     string
	id       serde.Serde[I]
	declared string
}

// NewSeen declares the store of a deduplication by ids of type I. Its changelog is
// named like that of any store.
func NewSeen[I any](name string, id serde.Serde[I]) Seen[I] {
	return Seen[I]{name: name, id: id, declared: dsl.Caller()}
}

// Name is the store's name as declared.
func (s Seen[I]) Name() string { return s.name }

// ID is the serde of the ids.
func (s Seen[I]) ID() serde.Serde[I] { return s.id }

// Check reports what is wrong with the declaration, or nil.
func (s Seen[I]) Check() error { return check(s.name, s.declared, s.id == nil, false) }

// UseSeen adds the store to a topology under construction. It is for leat's own
// packages.
func UseSeen[I any](b *dsl.Builder, s Seen[I], retention time.Duration, at string) *topology.Store {
	if err := s.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	return b.Store(topology.Store{Name: s.name, Kind: topology.Window, Retention: retention, At: at}, dsl.TypeNames[I, string]())
}
