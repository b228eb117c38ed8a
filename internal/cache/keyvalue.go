package cache

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Spec is what a store is made of.
type Spec[K, V any] struct {
	Store  *topology.Store
	Label  string // of the node that owns it, for errors
	Key    serde.Serde[K]
	Value  serde.Serde[V]
	Layout Layout
	// KeepOld makes Entry.Old right at the flush, even if V is a type that a
	// function could have changed in place.
	KeepOld bool
	// Changed, if set, is called by Flush for every entry that changed since
	// the last one.
	Changed func(*Entry[K, V]) error

	life *life[K, V] // of timers
}

// KeyValue is a store with one value for each key.
type KeyValue[K, V any] struct {
	base
	key     serde.Serde[K]
	value   serde.Serde[V]
	notify  func(*Entry[K, V]) error
	clone   func(V) V
	isNull  func(V) bool
	copyOld bool // old values must be copied through the serde

	entries map[string]*Entry[K, V]
	dirty   []*Entry[K, V]
	scratch []byte

	// Of iterations.
	order   order
	probe   []byte
	count   int // rows, when seq was counted-1
	counted uint64

	// Of rows that go by themselves.
	life   *life[K, V] // nil: they don't become due
	recent *recency    // nil: there is no bound to their number
	gone   []func(k K, v V, time int64) error
	died   func(e *Entry[K, V], old V) error
}

// Entry is one key of a KeyValue, present or not. It is valid until the next
// commit.
type Entry[K, V any] struct {
	cached
	Key   K
	Value V
	OK    bool  // there is a value
	Time  int64 // of the value, milliseconds since the epoch

	// Old and HadOld are what the entry was at the last flush, while it is
	// dirty.
	Old    V
	HadOld bool

	span *span // of a store with a life
}

// OpenKeyValue opens the store in a task that is being made.
func OpenKeyValue[K, V any](t *task.Task, spec Spec[K, V]) *KeyValue[K, V] {
	s := &KeyValue[K, V]{
		base:    openBase(t, spec.Store, spec.Label, spec.Layout),
		key:     spec.Key,
		value:   spec.Value,
		notify:  spec.Changed,
		isNull:  null.Test[V](),
		copyOld: spec.KeepOld && null.Mutable[V](),
		entries: map[string]*Entry[K, V]{},
	}
	if c, ok := spec.Value.(serde.Cloner[V]); ok {
		s.clone = c.Clone
		s.copyOld = false // a view is replaced, never changed in place
	}
	s.origins.on = s.notify != nil
	if s.life = spec.life; s.life == nil {
		s.life = newLife(s, spec.Store)
	}
	if spec.Store.Capacity > 0 {
		s.recent = &recency{}
	}
	s.open()
	return s
}

// open finds the store in the database.
func (s *KeyValue[K, V]) open() {
	s.task.OpenStore(s.spec, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		return s, cmp.Or(s.attach(changelog, db, id), s.attachLife(db))
	})
}

// encodeKey is valid until the next call.
func (s *KeyValue[K, V]) encodeKey(k K) ([]byte, error) {
	key, err := s.key.Append(s.scratch[:0], k)
	if err != nil {
		return nil, s.fail(task.FailedEncode, fmt.Errorf("encode key: %w", err))
	}
	s.scratch = key
	return key, nil
}

// Entry finds or makes the entry of k.
func (s *KeyValue[K, V]) Entry(k K) (*Entry[K, V], error) {
	key, err := s.encodeKey(k)
	if err != nil {
		return nil, err
	}
	if s.recent != nil {
		return s.recall(key)
	}
	if e := s.entries[string(key)]; e != nil {
		e.used = true
		return e, nil
	}
	return s.load(key)
}

// Slot is Entry for a caller that will set or delete the value whatever it was:
// the database isn't asked. What was there before counts as unknown: Old is the
// zero value and HadOld is true.
func (s *KeyValue[K, V]) Slot(k K) (*Entry[K, V], error) {
	if s.life != nil || s.recent != nil {
		e, err := s.Entry(k)
		if err == nil {
			err = s.Touch(e)
		}
		return e, err
	}
	key, err := s.encodeKey(k)
	if err != nil {
		return nil, err
	}
	e := s.entries[string(key)]
	if e == nil {
		if e, err = s.admit(key); err != nil {
			return nil, err
		}
	}
	e.used = true
	if !e.dirty {
		e.HadOld = true
	}
	return e, nil
}

// admit makes an empty entry for an encoded key.
func (s *KeyValue[K, V]) admit(key []byte) (*Entry[K, V], error) {
	e := &Entry[K, V]{cached: cached{key: string(key), used: true}}
	// The typed key is decoded anew, so that the cache shares no memory with
	// the record that asked for it.
	k, err := s.key.Decode(view(e.key))
	if err != nil {
		return nil, s.fail(task.FailedDecode, fmt.Errorf("decode key: %w", err))
	}
	e.Key = k
	e.size = entrySize(e, len(key))
	s.entries[e.key] = e
	s.ring.admit(&e.cached, s.task.CacheBytes(), func(key string) { delete(s.entries, key) })
	return e, nil
}

// load brings the entry of an encoded key into the cache.
func (s *KeyValue[K, V]) load(key []byte) (*Entry[K, V], error) {
	value, ok, err := s.db.Get(s.layout.appendKey(s.task.Arena().Free(), s.id, key))
	if err != nil {
		return nil, s.fail(task.FailedStore, err)
	}
	var v V
	var time int64
	if ok {
		if v, time, err = s.decode(value); err != nil {
			return nil, err
		}
	}
	e, err := s.admit(key)
	if err != nil {
		return nil, err
	}
	e.Value, e.Time, e.OK = v, time, ok
	if s.life != nil {
		s.revive(e, value)
	}
	s.ring.resize(&e.cached, e.size+int64(len(value)))
	return e, nil
}

// view is the bytes of a string, not to be modified.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// entrySize is what an entry costs in memory, about: itself, what its encoding
// takes, and its share of the maps.
func entrySize[E any](_ *E, encoded int) int64 {
	var e E
	return int64(unsafe.Sizeof(e)) + int64(encoded) + 64
}

func (s *KeyValue[K, V]) decode(value []byte) (v V, time int64, err error) {
	if len(value) < 8+s.bornLen() {
		return v, 0, s.fail(task.FailedStore, fmt.Errorf("%w: value of %d bytes", ErrCorrupt, len(value)))
	}
	v, err = s.value.Decode(value[8+s.bornLen():])
	if err != nil {
		return v, 0, s.fail(task.FailedStore, fmt.Errorf("decode stored value (did its type change?): %w", err))
	}
	if s.clone != nil {
		v = s.clone(v)
	}
	return v, int64(binary.BigEndian.Uint64(value)), nil
}

// Visible reports whether the entry has a value that has not expired.
func (s *KeyValue[K, V]) Visible(e *Entry[K, V]) bool {
	if s.life != nil {
		return e.OK && !s.dead(e)
	}
	if !e.OK || !s.layout.segmented() || s.layout.ShowCached {
		return e.OK
	}
	return !s.layout.expired(s.layout.TimeOf(view(e.key)), *s.latest)
}

// Touch prepares an entry for a change by a function that may work in place:
// what it was is kept, where somebody will ask for it.
func (s *KeyValue[K, V]) Touch(e *Entry[K, V]) error {
	if e.dirty {
		return nil
	}
	e.Old, e.HadOld = e.Value, e.OK
	if !s.copyOld || !e.OK {
		return nil
	}
	old, err := s.Copy(e.Value)
	if err != nil {
		return err
	}
	e.Old = old
	return nil
}

// Set changes an entry that was touched. A null value deletes it.
func (s *KeyValue[K, V]) Set(e *Entry[K, V], v V, time int64) {
	if s.isNull != nil && s.isNull(v) {
		s.Delete(e, time)
		return
	}
	if s.clone != nil {
		v = s.clone(v)
	}
	e.Value, e.OK, e.Time = v, true, time
	s.changed(e)
}

// Delete removes the value of an entry that was touched.
func (s *KeyValue[K, V]) Delete(e *Entry[K, V], time int64) {
	var zero V
	e.Value, e.OK, e.Time = zero, false, time
	s.changed(e)
}

func (s *KeyValue[K, V]) changed(e *Entry[K, V]) {
	if s.layout.segmented() {
		s.seen(s.layout.TimeOf(view(e.key)))
	}
	s.origins.note(&e.origin, s.task.Meta())
	if s.mark(&e.cached) {
		s.dirty = append(s.dirty, e)
		if s.order.on {
			s.arrange(e)
		}
	}
	if s.life != nil {
		s.lived(e)
	}
	if s.recent != nil {
		s.keepBound(e)
	}
}

// Emitted is the value that the nodes after this store were last told, which
// differs from the entry's while it waits for the flush.
func (s *KeyValue[K, V]) Emitted(e *Entry[K, V]) (V, bool) {
	if e.dirty && s.notify != nil {
		return e.Old, e.HadOld
	}
	return e.Value, e.OK
}

// Flush implements task.Store. Entries come in the order of their last change.
func (s *KeyValue[K, V]) Flush() error {
	if s.life != nil {
		if err := s.goOn(); err != nil {
			return err
		}
	}
	sortFunc(s.dirty, func(a, b *Entry[K, V]) int { return cmp.Compare(a.seq, b.seq) })
	s.origins.begin(s.task.Meta())
	defer s.origins.end(s.task.Meta())
	for i, e := range s.dirty {
		if err := s.flush(e); err != nil {
			s.dirty = slices.Delete(s.dirty, 0, i)
			return err
		}
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	s.pinned = 0
	return nil
}

func (s *KeyValue[K, V]) flush(e *Entry[K, V]) error {
	if s.layout.ShowCached && s.hides(s.layout.TimeOf(view(e.key))) {
		e.Old, e.HadOld = *new(V), false
	}
	if (e.OK || e.HadOld) && s.kept(e) {
		w, err := s.encode(e)
		if err != nil {
			return err
		}
		if err := s.log(w, e.Time); err != nil {
			return err
		}
		s.ring.resize(&e.cached, entrySize(e, len(w.key)+len(w.value)))
	}
	if s.life != nil {
		s.settle(e)
	}
	s.origins.tell(&e.origin, s.task.Meta())
	// From here on Emitted gives the new value: a join of two views of this
	// table asks for it while it is told of the change.
	s.hold(&e.cached)
	if s.notify != nil && (e.OK || e.HadOld) {
		if err := s.notify(e); err != nil {
			return err
		}
	}
	var zero V
	e.Old, e.HadOld = zero, false
	return nil
}

// kept reports whether a changed entry is to be written.
func (s *KeyValue[K, V]) kept(e *Entry[K, V]) bool {
	return !s.layout.segmented() || s.layout.kept(s.layout.TimeOf(view(e.key)), *s.latest)
}

func (s *KeyValue[K, V]) encode(e *Entry[K, V]) (w write, err error) {
	arena := s.task.Arena()
	w.key = arena.Take(s.layout.appendKey(arena.Free(), s.id, view(e.key)))
	if !e.OK {
		return w, nil
	}
	dst := binary.BigEndian.AppendUint64(arena.Free(), uint64(e.Time))
	if s.bornLen() > 0 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(s.spanOf(e).born))
	}
	b, err := s.value.Append(dst, e.Value)
	if err != nil {
		return w, s.fail(task.FailedEncode, fmt.Errorf("encode value: %w", err))
	}
	w.value = arena.Take(b)
	return w, nil
}

// Restore implements task.Store.
func (s *KeyValue[K, V]) Restore(recs []record.Record) error {
	for i := range recs {
		r := &recs[i]
		if r.Key == nil {
			continue
		}
		key := r.Key
		if s.spec.Logging == topology.FromInput {
			// The topic is the user's. What can't be decoded was never in the
			// table, and equal keys may have been written as other bytes.
			k, err := s.key.Decode(key)
			if err == nil {
				key, err = s.encodeKey(k)
			}
			if err == nil && r.Value != nil {
				_, err = s.value.Decode(r.Value)
			}
			if err != nil {
				continue
			}
		}
		s.restore(key, r)
		if s.life != nil && r.Value != nil {
			s.hintRestored(key)
		}
	}
	return nil
}

// Copy is a copy of a value that shares no memory with it, made by the serde.
func (s *KeyValue[K, V]) Copy(v V) (V, error) {
	if s.clone != nil {
		return s.clone(v), nil
	}
	return copyOf(&s.base, s.value, v)
}

func copyOf[V any](s *base, value serde.Serde[V], v V) (V, error) {
	b, err := value.Append(nil, v)
	if err != nil {
		return v, s.fail(task.FailedEncode, fmt.Errorf("encode value: %w", err))
	}
	c, err := value.Decode(b)
	if err != nil {
		return v, s.fail(task.FailedDecode, fmt.Errorf("decode value: %w", err))
	}
	return c, nil
}
