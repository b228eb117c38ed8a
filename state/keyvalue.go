package state

import (
	"iter"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/serde"
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
type KeyValue[K, V any] struct {
	rows
	kv *cache.KeyValue[K, V]
}

// Get returns the value of a key, and whether there is one. An error means that
// the state can't be read or the key not be encoded; return it.
func (s *KeyValue[K, V]) Get(key K) (value V, ok bool, err error) {
	e, err := s.kv.Entry(key)
	if err != nil || !s.kv.Visible(e) {
		return value, false, err
	}
	return e.Value, true, nil
}

// Put sets the value of a key. A nil value (of a type that has nil) deletes it.
// The row's time is that of the record in process.
func (s *KeyValue[K, V]) Put(key K, value V) error {
	e, err := s.slot(key)
	if err == nil {
		s.kv.Set(e, value, *s.now)
	}
	return err
}

// PutIfAbsent sets the value of a key that has none. It returns the value that
// the key has then, and whether it is the one given.
func (s *KeyValue[K, V]) PutIfAbsent(key K, value V) (now V, set bool, err error) {
	if err := s.writable(); err != nil {
		return now, false, err
	}
	e, err := s.kv.Entry(key)
	if err != nil {
		return now, false, err
	}
	if s.kv.Visible(e) {
		return e.Value, false, nil
	}
	if err := s.kv.Renew(e); err != nil {
		return now, false, err
	}
	s.kv.Set(e, value, *s.now)
	return e.Value, true, nil
}

// Delete removes a key; it is no error if there is none.
func (s *KeyValue[K, V]) Delete(key K) error {
	e, err := s.slot(key)
	if err == nil {
		s.kv.Delete(e, *s.now)
	}
	return err
}

// slot is the entry of a key that is to be written.
func (s *KeyValue[K, V]) slot(key K) (*cache.Entry[K, V], error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	e, err := s.kv.Slot(key)
	if err != nil {
		return nil, err
	}
	return e, s.kv.Renew(e)
}

// Time returns when the row of a key was last written: the time of the record
// that did it.
func (s *KeyValue[K, V]) Time(key K) (at time.Time, ok bool, err error) {
	e, err := s.kv.Entry(key)
	if err != nil || !s.kv.Visible(e) {
		return at, false, err
	}
	return time.UnixMilli(e.Time).UTC(), true, nil
}

// All yields every row, in the order of the encoded keys. It sees the store as
// it was when the loop began, so rows may be put and deleted meanwhile. If it
// fails it ends early and Err says why; a task whose store failed can't commit,
// so it is safe to forget to ask.
func (s *KeyValue[K, V]) All() iter.Seq2[K, V] { return s.walk(nil, nil, false) }

// Backward is All from the last key to the first.
func (s *KeyValue[K, V]) Backward() iter.Seq2[K, V] { return s.walk(nil, nil, true) }

// Range yields the rows with from <= key <= to, by encoded keys, like All.
func (s *KeyValue[K, V]) Range(from, to K) iter.Seq2[K, V] { return s.walk(&from, &to, false) }

// RangeBackward is Range from the last key to the first.
func (s *KeyValue[K, V]) RangeBackward(from, to K) iter.Seq2[K, V] { return s.walk(&from, &to, true) }

// From yields the rows with from <= key, like All.
func (s *KeyValue[K, V]) From(from K) iter.Seq2[K, V] { return s.walk(&from, nil, false) }

// To yields the rows with key <= to, like All.
func (s *KeyValue[K, V]) To(to K) iter.Seq2[K, V] { return s.walk(nil, &to, false) }

// Prefix yields the rows whose encoded keys begin with the encoding of prefix,
// like All. The prefix may be of a type of its own: the first half of a composite
// key, say.
func (s *KeyValue[K, V]) Prefix[P any](prefix P, as serde.Serde[P]) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		p, err := as.Append(nil, prefix)
		if err != nil {
			s.failed(err)
			return
		}
		rows, err := s.kv.Prefixed(p)
		s.yield(rows, err, false, yield)
	}
}

// Len is the number of rows. It walks through the store, unless nothing was
// written since it last did.
func (s *KeyValue[K, V]) Len() (int, error) { return s.kv.Len() }

// Err is the first error of an iteration, nil if all went well.
func (s *KeyValue[K, V]) Err() error { return s.err }

func (s *KeyValue[K, V]) walk(from, to *K, backward bool) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		rows, err := s.kv.Rows(from, to)
		s.yield(rows, err, backward, yield)
	}
}

// yield is over rows that were collected before, so that the loop may change
// the store.
func (s *KeyValue[K, V]) yield(rows []cache.Pair[K, V], err error, backward bool, yield func(K, V) bool) {
	s.failed(err)
	if err != nil {
		return
	}
	for i := range rows {
		r := &rows[i]
		if backward {
			r = &rows[len(rows)-1-i]
		}
		if !yield(r.Key, r.Value) {
			return
		}
	}
}
