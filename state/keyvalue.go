package state

import (
	"iter"
	"time"

	"github.com/leatstream/leat/internal/dsl"
)

// KeyValue is an open key-value store of a task. It is used by the processor
// that opened it, while it processes a record or a punctuation, and by nothing
// else: it has no lock.
//
// What is written is visible at once to every later read in the task. It
// becomes durable with the next commit, together with the offsets of the
// records that caused it.
//
// A value that a read returned is shared with the store: treat what it points
// to as read-only, and put a changed copy back.
type KeyValue[K, V any] dsl.OpenStore[K, V]

func (s *KeyValue[K, V]) open() *dsl.OpenStore[K, V] { return (*dsl.OpenStore[K, V])(s) }

// Get returns the value of a key, and whether there is one. An error means that
// the state can't be read or the key not be encoded; return it.
func (s *KeyValue[K, V]) Get(key K) (value V, ok bool, err error) {
	return dsl.ReadRow(s.open(), key)
}

// Put sets the value of a key. A nil value (of a type that has nil) deletes it.
// The row's time is that of the record in process.
func (s *KeyValue[K, V]) Put(key K, value V) error {
	return dsl.WriteRow(s.open(), key, value)
}

// Delete removes a key; it is no error if there is none.
func (s *KeyValue[K, V]) Delete(key K) error { return dsl.DeleteRow(s.open(), key) }

// Time returns when the row of a key was last written: the time of the record
// that did it.
func (s *KeyValue[K, V]) Time(key K) (at time.Time, ok bool, err error) {
	return dsl.RowTime(s.open(), key)
}

// All yields every row, in the order of the encoded keys. It sees the store as
// it was when the loop began, so rows may be put and deleted meanwhile. If it
// fails it ends early and Err says why; a task whose store failed can't commit,
// so it is safe to forget to ask.
func (s *KeyValue[K, V]) All() iter.Seq2[K, V] { return dsl.AllRows(s.open()) }

// Range yields the rows with from <= key <= to, by encoded keys, like All.
func (s *KeyValue[K, V]) Range(from, to K) iter.Seq2[K, V] {
	return dsl.RangeRows(s.open(), from, to)
}

// Err is the first error of an iteration, nil if all went well.
func (s *KeyValue[K, V]) Err() error { return dsl.RowsErr(s.open()) }
