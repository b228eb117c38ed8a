package state

import (
	"cmp"
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

// WindowStore is the declaration of a store with values by key and time: for each
// key the windows that it has something in, each known by its start.
type WindowStore[K, V any] struct {
	Store[K, V]
	retention time.Duration
	size      time.Duration
	all       bool
}

// NewWindow declares a window store for processors. A window is visible as long
// as its start is less than retention before the newest start that was put, of
// whatever key; then it is deleted, in the changelog too. size is the length of
// the windows, for their ends in what is read.
//
// The stores of windowed aggregations are declared with [New].
func NewWindow[K, V any](name string, key serde.Serde[K], value serde.Serde[V], retention, size time.Duration, opts ...Option) WindowStore[K, V] {
	return WindowStore[K, V]{Store: newStore(name, key, value, opts), retention: retention, size: size}
}

// KeepAll makes the store keep every value that is put for a key and a start,
// instead of the last one: a log of the records of a time. Put adds, Delete does
// nothing.
func (s WindowStore[K, V]) KeepAll() WindowStore[K, V] {
	s.all = true
	return s
}

// Attach implements [Declared].
func (s WindowStore[K, V]) Attach(b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	if s.retention <= 0 || s.size <= 0 {
		b.Fail(at, "%s: window store %q: its retention and the size of its windows must be positive", s.Declared(), s.Name())
	}
	st, created := b.SharedStore(s.spec(b, topology.Window, s.retention, at), dsl.TypeNames[K, V]())
	if !created {
		return st, nil
	}
	return st, func(t *task.Task, label string) {
		t.Keep(st.Name, cache.OpenKeyValue(t, cache.Spec[window.Key[K], V]{
			Store: st, Label: label, Key: window.KeySerde(s.Key()), Value: s.Value(),
			Layout: cache.Layout{Retention: s.retention.Milliseconds(), TimeOf: cache.WindowStart},
		}))
	}
}

// Window is an open window store of a task. What is said of [KeyValue] holds for
// it too.
type Window[K, V any] struct {
	rows
	kv    *cache.KeyValue[window.Key[K], V]
	cells *cache.Rows[K, V] // of sliding windows, in the place of kv
	size  int64
	// seq tells apart the values of a key and a start, with KeepAll. It is
	// committed with the offsets, so that a record that is processed again puts
	// what it put before.
	seq *int64
}

func openWindow[K, V any](r rows, open any, s Typed[K, V]) *Window[K, V] {
	w := &Window[K, V]{rows: r}
	switch open := open.(type) {
	case *cache.KeyValue[window.Key[K], V]:
		w.kv = open
	case *cache.Rows[K, V]:
		w.cells = open
	default:
		return nil
	}
	if own, ok := s.(WindowStore[K, V]); ok {
		w.size = own.size.Milliseconds()
		if own.all {
			w.seq = r.task.Time(own.Name() + "/puts")
		}
	}
	return w
}

// key is the key of the window that starts then, for a store of a processor.
func (s *Window[K, V]) key(key K, start time.Time) window.Key[K] {
	at := start.UnixMilli()
	k := window.Key[K]{Key: key, Span: window.Span{StartMS: at, EndMS: at + s.size}}
	if s.seq != nil {
		k.EndMS = at + *s.seq
	}
	return k
}

// Put sets the value of a key in the window that starts then, or adds one with
// [WindowStore.KeepAll]. A nil value deletes it. What is put beyond the retention
// is dropped and counted, reason "late".
func (s *Window[K, V]) Put(key K, value V, start time.Time) error {
	if err := s.writable(); err != nil {
		return err
	}
	if s.seq != nil {
		if s.kv.IsNull(value) {
			return nil
		}
		*s.seq++
	}
	e, err := s.kv.Slot(s.key(key, start))
	if err != nil {
		return err
	}
	s.kv.Set(e, value, *s.now)
	s.kv.CountLate(e)
	return nil
}

// Delete removes the value of a key in the window that starts then; it is no error
// if there is none.
func (s *Window[K, V]) Delete(key K, start time.Time) error {
	if err := s.writable(); err != nil || s.seq != nil {
		return err
	}
	e, err := s.kv.Slot(s.key(key, start))
	if err == nil {
		s.kv.Delete(e, *s.now)
	}
	return err
}

// Get returns the value of a key in the window that starts then, and whether there
// is one; of several the first.
func (s *Window[K, V]) Get(key K, start time.Time) (value V, ok bool, err error) {
	found, err := s.fetch(key, start.UnixMilli(), start.UnixMilli())
	if err != nil || len(found) == 0 {
		return value, false, err
	}
	return found[0].Value, true, nil
}

// Time returns when the value of a key in the window that starts then was last
// written: the time of a record.
func (s *Window[K, V]) Time(key K, start time.Time) (at time.Time, ok bool, err error) {
	found, err := s.fetch(key, start.UnixMilli(), start.UnixMilli())
	if err != nil || len(found) == 0 {
		return at, false, err
	}
	return time.UnixMilli(found[0].Time).UTC(), true, nil
}

// Fetch yields the windows of a key that start in [from, to], by start, with their
// values; those of one start come as they were put. Like [KeyValue.All] it sees
// the store as it was when the loop began, and may be followed by Err.
func (s *Window[K, V]) Fetch(key K, from, to time.Time) iter.Seq2[time.Time, V] {
	return s.starts(key, from, to, false)
}

// FetchBackward is Fetch from the last window to the first.
func (s *Window[K, V]) FetchBackward(key K, from, to time.Time) iter.Seq2[time.Time, V] {
	return s.starts(key, from, to, true)
}

// Between yields the windows of all keys that start in [from, to], by start and
// encoded key.
func (s *Window[K, V]) Between(from, to time.Time) iter.Seq2[window.Key[K], V] {
	return func(yield func(window.Key[K], V) bool) {
		found, err := s.between(from.UnixMilli(), to.UnixMilli())
		s.failed(err)
		if err != nil {
			return
		}
		for i := range found {
			k := found[i].Key
			if s.size > 0 {
				k.EndMS = k.StartMS + s.size
			}
			if !yield(k, found[i].Value) {
				return
			}
		}
	}
}

// All yields every window of every key, by start and encoded key.
func (s *Window[K, V]) All() iter.Seq2[window.Key[K], V] {
	return s.Between(time.UnixMilli(0), time.UnixMilli(math.MaxInt64))
}

// Err is the first error of an iteration, nil if all went well.
func (s *Window[K, V]) Err() error { return s.err }

func (s *Window[K, V]) starts(key K, from, to time.Time, backward bool) iter.Seq2[time.Time, V] {
	return func(yield func(time.Time, V) bool) {
		found, err := s.fetch(key, from.UnixMilli(), to.UnixMilli())
		s.failed(err)
		if err != nil {
			return
		}
		for i := range found {
			p := &found[i]
			if backward {
				p = &found[len(found)-1-i]
			}
			if !yield(p.Key.Start(), p.Value) {
				return
			}
		}
	}
}

func (s *Window[K, V]) fetch(key K, from, to int64) ([]cache.Pair[window.Key[K], V], error) {
	if s.kv != nil {
		return s.kv.Span(window.Key[K]{Key: key}, from, to)
	}
	cells, err := s.cells.Cells(key, from, math.MaxInt64)
	if err != nil {
		return nil, err
	}
	var found []cache.Pair[window.Key[K], V]
	for i := range cells {
		if cells[i].Time <= to {
			found = append(found, pairOf(key, &cells[i]))
		}
	}
	return found, nil
}

func (s *Window[K, V]) between(from, to int64) ([]cache.Pair[window.Key[K], V], error) {
	if s.kv != nil {
		return s.kv.Windows(from, to)
	}
	cells, err := s.cells.All()
	if err != nil {
		return nil, err
	}
	cache.SortFunc(cells, func(a, b cache.KeyCell[K, V]) int { return cmp.Compare(a.Cell.Time, b.Cell.Time) })
	var found []cache.Pair[window.Key[K], V]
	for i := range cells {
		if c := &cells[i].Cell; c.Time >= from && c.Time <= to {
			found = append(found, pairOf(cells[i].Key, c))
		}
	}
	return found, nil
}

// pairOf is a sliding window, of which the cell's Time is the start.
func pairOf[K, V any](k K, c *cache.Cell[V]) cache.Pair[window.Key[K], V] {
	span := window.Span{StartMS: c.Time, EndMS: c.Sub}
	return cache.Pair[window.Key[K], V]{Key: window.Key[K]{Key: k, Span: span}, Value: c.Value, Time: c.At}
}
