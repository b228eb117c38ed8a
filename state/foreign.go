package state

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Foreign is the declaration of what a foreign-key join of two tables keeps and
// sends: for each row of the left table the key it refers to, for each key of
// the right table the rows that refer to it, and the two topics between them.
type Foreign[K, KO, VO any] struct {
	name     string
	key      serde.Serde[K]
	foreign  serde.Serde[KO]
	row      serde.Serde[VO]
	declared string
}

// NewForeign declares the state of a foreign-key join: key is the serde of the
// left table's keys, foreign and row are those of the right table's keys and
// rows. Its stores are named `<name>-references` (on the left side) and
// `<name>-referrers` (on the right side), its topics
// `<application id>-<name>-subscribe-repartition` and
// `<application id>-<name>-respond-repartition`.
func NewForeign[K, KO, VO any](name string, key serde.Serde[K], foreign serde.Serde[KO], row serde.Serde[VO]) Foreign[K, KO, VO] {
	return Foreign[K, KO, VO]{name: name, key: key, foreign: foreign, row: row, declared: dsl.Caller()}
}

// Name is the name as declared.
func (f Foreign[K, KO, VO]) Name() string { return f.name }

// Key is the serde of the left table's keys.
func (f Foreign[K, KO, VO]) Key() serde.Serde[K] { return f.key }

// Foreign is the serde of the right table's keys.
func (f Foreign[K, KO, VO]) Foreign() serde.Serde[KO] { return f.foreign }

// Row is the serde of the right table's rows.
func (f Foreign[K, KO, VO]) Row() serde.Serde[VO] { return f.row }

// Check reports what is wrong with the declaration, or nil.
func (f Foreign[K, KO, VO]) Check() error {
	return check(f.name, f.declared, f.key == nil || f.foreign == nil, f.row == nil)
}

// UseForeign adds the two stores of a foreign-key join. It is for leat's own
// packages.
func UseForeign[K, KO, VO any](b *dsl.Builder, f Foreign[K, KO, VO], at string) (references, referrers *topology.Store) {
	if err := f.Check(); err != nil {
		b.Fail(at, "%v", err)
	}
	references = b.Store(topology.Store{Name: f.name + "-references", Kind: topology.KeyValue, At: at}, "references of "+dsl.TypeNames[K, KO]())
	referrers = b.Store(topology.Store{Name: f.name + "-referrers", Kind: topology.KeyValue, At: at}, "referrers of "+dsl.TypeNames[KO, K]())
	return references, referrers
}
