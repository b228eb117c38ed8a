package dsl

import (
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Stream is what stream.Stream is made of.
type Stream[K, V any] struct{ stream *StreamDef[K, V] }

// NewStream wraps a definition.
func NewStream[K, V any](d *StreamDef[K, V]) Stream[K, V] {
	d.B.streams[d.Node] = TypeNames[K, V]()
	return Stream[K, V]{d}
}

// Def is the definition, nil for the zero Stream.
func (s Stream[K, V]) Def() *StreamDef[K, V] { return s.stream }

// StreamDef is a stream in a topology.
type StreamDef[K, V any] struct {
	B    *Builder
	Node *topology.Node
	// Rekeyed is the call that changed the key since the records last passed a
	// topic, "" if none did.
	Rekeyed string
}

// Out is the stream's port in a task.
func (d *StreamDef[K, V]) Out(t *task.Task) *Port[Record[K, V]] {
	return t.Port(d.Node.ID).(*Port[Record[K, V]])
}

// Table is what table.Table is made of.
type Table[K, V any] struct{ table *TableDef[K, V] }

// NewTable wraps a definition.
func NewTable[K, V any](d *TableDef[K, V]) Table[K, V] { return Table[K, V]{d} }

// Def is the definition, nil for the zero Table.
func (t Table[K, V]) Def() *TableDef[K, V] { return t.table }

// TableDef is a table in a topology.
type TableDef[K, V any] struct {
	B    *Builder
	Node *topology.Node
	// Lookup opens the table for reading in a task.
	Lookup func(*task.Task) Lookup[K, V]
	// LookupAt opens a versioned table for reading as of a time, in milliseconds
	// since the epoch. It is nil for a table that keeps the latest version only.
	LookupAt func(*task.Task) LookupAt[K, V]
	// WantOld asks for old values in the table's changes. It is called while
	// the topology is built.
	WantOld func()
	// TryOld is WantOld for whoever can do without, under LikeKafka: it reports
	// whether there will be old values. nil: there will.
	TryOld func() bool
	// Demand says that an operator reads rows. nil: they are there in any case.
	Demand func()
	// SetEmission chooses when the table tells of its changes, for the call at
	// the given place. It is nil for a table whose rows are computed.
	SetEmission func(e Emission, at string)
	// OwnOld says that old values are what the table says, even if its rows are
	// kept in a store that knows better: under LikeKafka a join of a table with
	// itself counts a change twice.
	OwnOld bool
	// Find turns the key that a join looks for into that of a row, if they may
	// differ: under LikeKafka windows are known by their starts.
	Find func(K) K
	// Value is the serde of the table's rows, nil where they are computed.
	Value serde.Serde[V]
}

// AskOld asks for old values if the table has them anyway, and reports whether.
func (d *TableDef[K, V]) AskOld() bool {
	if d.TryOld != nil {
		return d.TryOld()
	}
	d.WantOld()
	return true
}

// Out is the table's port in a task.
func (d *TableDef[K, V]) Out(t *task.Task) *Port[Change[K, V]] {
	return t.Port(d.Node.ID).(*Port[Change[K, V]])
}

// View says which of two states of a row a lookup wants.
type View uint8

const (
	// Latest is the row as the last record left it.
	Latest View = iota
	// Emitted is the row as the nodes after the table know it. A table that
	// emits on commit runs ahead of that. A join of two tables must use it, or
	// it would retract a value that it never gave.
	Emitted
)

// Lookup reads a row.
type Lookup[K, V any] func(k K, view View) (Row[V], error)

// Row is what a lookup found.
type Row[V any] struct {
	Value V
	OK    bool
	Time  int64 // milliseconds since the epoch
}

// Global is what stream.GlobalTable is made of.
type Global[K, V any] struct{ global *GlobalDef[K, V] }

// NewGlobal wraps a definition.
func NewGlobal[K, V any](d *GlobalDef[K, V]) Global[K, V] { return Global[K, V]{d} }

// Def is the definition.
func (g Global[K, V]) Def() *GlobalDef[K, V] { return g.global }

// GlobalDef is a global table in a topology.
type GlobalDef[K, V any] struct {
	B     *Builder
	Node  *topology.Node
	Index int // in Plan.Globals
}
