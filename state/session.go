package state

import (
	"iter"
	"math"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
)

// SessionStore is the declaration of a store with values by key and session, of
// which start and end are known.
type SessionStore[K, V any] struct {
	Store[K, V]
	retention time.Duration
}

// NewSession declares a session store for processors. A session is visible as
// long as its end is less than retention before the latest end that was put, of
// whatever key; then it is deleted, in the changelog too.
//
// The stores of aggregations by sessions are declared with [New].
func NewSession[K, V any](name string, key serde.Serde[K], value serde.Serde[V], retention time.Duration, opts ...Option) SessionStore[K, V] {
	return SessionStore[K, V]{Store: newStore(name, key, value, opts), retention: retention}
}

// Attach implements [Declared].
func (s SessionStore[K, V]) Attach(b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	if s.retention <= 0 {
		b.Fail(at, "%s: session store %q: its retention must be positive", s.Declared(), s.Name())
	}
	st, created := b.SharedStore(s.spec(b, topology.Session, s.retention, at), dsl.TypeNames[K, V]())
	if !created {
		return st, nil
	}
	return st, func(t *task.Task, label string) {
		t.Keep(st.Name, cache.OpenRows(t, cache.RowSpec[K, V]{
			Store: st, Label: label, Key: s.Key(), Value: s.Value(), Retention: s.retention.Milliseconds(),
		}))
	}
}

// Session is an open session store of a task. What is said of [KeyValue] holds for
// it too.
type Session[K, V any] struct {
	rows
	cells *cache.Rows[K, V]
}

// Put sets the value of a session of a key. A nil value removes the session. What
// ended beyond the retention is dropped and counted, reason "late".
func (s *Session[K, V]) Put(key K, span window.Span, value V) error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.cells.PutCell(key, span.EndMS, span.StartMS, value)
}

// Remove removes a session of a key; it is no error if there is none.
func (s *Session[K, V]) Remove(key K, span window.Span) error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.cells.RemoveCell(key, span.EndMS, span.StartMS)
}

// Get returns the value of the session of a key with exactly that span, and
// whether there is one.
func (s *Session[K, V]) Get(key K, span window.Span) (value V, ok bool, err error) {
	found, err := s.cells.Cells(key, span.EndMS, span.StartMS)
	if err != nil {
		return value, false, err
	}
	for _, c := range found {
		if c.Time == span.EndMS && c.Sub == span.StartMS {
			return c.Value, true, nil
		}
	}
	return value, false, nil
}

// Fetch yields all sessions of a key, by end and start. Like [KeyValue.All] it
// sees the store as it was when the loop began, and may be followed by Err.
func (s *Session[K, V]) Fetch(key K) iter.Seq2[window.Span, V] {
	return s.find(key, math.MinInt64, math.MaxInt64, false)
}

// FetchBackward is Fetch from the last session to the first.
func (s *Session[K, V]) FetchBackward(key K) iter.Seq2[window.Span, V] {
	return s.find(key, math.MinInt64, math.MaxInt64, true)
}

// Find yields the sessions of a key that end at earliestEnd or later and start at
// latestStart or before, by end and start: with the bounds of a time, the sessions
// that touch it.
func (s *Session[K, V]) Find(key K, earliestEnd, latestStart time.Time) iter.Seq2[window.Span, V] {
	return s.find(key, earliestEnd.UnixMilli(), latestStart.UnixMilli(), false)
}

// FindBackward is Find from the last session to the first.
func (s *Session[K, V]) FindBackward(key K, earliestEnd, latestStart time.Time) iter.Seq2[window.Span, V] {
	return s.find(key, earliestEnd.UnixMilli(), latestStart.UnixMilli(), true)
}

// All yields every session of every key, by encoded key, end and start.
func (s *Session[K, V]) All() iter.Seq2[window.Key[K], V] {
	return func(yield func(window.Key[K], V) bool) {
		found, err := s.cells.All()
		s.failed(err)
		if err != nil {
			return
		}
		for _, p := range found {
			k := window.Key[K]{Key: p.Key, Span: window.Span{StartMS: p.Cell.Sub, EndMS: p.Cell.Time}}
			if !yield(k, p.Cell.Value) {
				return
			}
		}
	}
}

// Err is the first error of an iteration, nil if all went well.
func (s *Session[K, V]) Err() error { return s.err }

func (s *Session[K, V]) find(key K, earliestEnd, latestStart int64, backward bool) iter.Seq2[window.Span, V] {
	return func(yield func(window.Span, V) bool) {
		found, err := s.cells.Cells(key, earliestEnd, latestStart)
		s.failed(err)
		if err != nil {
			return
		}
		for i := range found {
			c := &found[i]
			if backward {
				c = &found[len(found)-1-i]
			}
			if !yield(window.Span{StartMS: c.Sub, EndMS: c.Time}, c.Value) {
				return
			}
		}
	}
}
