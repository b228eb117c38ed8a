package dsl

import "github.com/leatstream/leat/internal/record"

// Record is a typed record on its way through a stream.
type Record[K, V any] struct {
	Key     K
	Value   V
	Time    int64        // milliseconds since the epoch
	KeyNull bool         // Key is the zero value since the record has none
	Meta    *record.Meta // the task's: where the record in process came from
}

// Change is a change of one row on its way through a table.
type Change[K, V any] struct {
	Key    K
	New    V
	Old    V // only right where the table was asked for old values
	HasNew bool
	HasOld bool
	Time   int64 // milliseconds since the epoch
	Meta   *record.Meta
}

// Port is the output of a node in a task: the functions of the nodes after it,
// called one after the other, each to the end before the next.
type Port[R any] struct{ subs []func(R) error }

// Emit hands r to every node after this one and returns the first error.
func (p *Port[R]) Emit(r R) error {
	for _, f := range p.subs {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

// Subscribe adds a node.
func (p *Port[R]) Subscribe(f func(R) error) { p.subs = append(p.subs, f) }
