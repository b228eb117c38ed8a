package state

import (
	"math"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Versions is an open versioned store of a task (KIP-889): for each key what its
// value was over time, as far back as the store's history. It is used as
// [KeyValue] is.
//
// A value that is put with a time holds from then on, until the next version of
// the key; values may be put in any order of times. The history goes by the
// highest time put so far, of all keys. What is older than that less the history
// can't be put, nor found out, but for the newest version of a key, which is kept
// for ever.
type Versions[K, V any] struct {
	rows
	versions *cache.Versioned[K, V]
}

// Version is a value of a key, and from when to when it holds.
type Version[V any] struct {
	Value V
	From  time.Time
	// To is when the next version begins; it is the zero Time for the newest.
	To time.Time
}

// Versioned opens a declared store that has the option [Versioned], while the
// processor is set up. The store of a versioned table can be read only.
func (t *Task) Versioned[K, V any](s Store[K, V]) *Versions[K, V] {
	open, st := t.opened(s.Name())
	if st == nil {
		return nil
	}
	vs, ok := open.(*cache.Versioned[K, V])
	if !ok {
		t.reject(st, "versioned", "Versioned")
		return nil
	}
	return &Versions[K, V]{rows: rows{task: t.task, spec: st, now: t.now}, versions: vs}
}

// Put makes value the value of a key from the time at on. A nil value (of a type
// that has nil) ends the version before. It returns when the next version begins,
// the zero Time if there is none; kept is false if at is older than the history,
// and nothing was put then.
func (s *Versions[K, V]) Put(key K, value V, at time.Time) (to time.Time, kept bool, err error) {
	return s.put(key, value, true, at)
}

// Delete says that a key has no value from the time at on, until its next
// version. It returns what Put does.
func (s *Versions[K, V]) Delete(key K, at time.Time) (to time.Time, kept bool, err error) {
	var none V
	return s.put(key, none, false, at)
}

func (s *Versions[K, V]) put(key K, value V, has bool, at time.Time) (to time.Time, kept bool, err error) {
	if err := s.writable(); err != nil {
		return to, false, err
	}
	p, err := s.versions.Put(key, value, has, at.UnixMilli())
	if err != nil || !p.Kept {
		return to, false, err
	}
	return end(p.To), true, nil
}

// Get returns the newest version of a key, and whether it has a value.
func (s *Versions[K, V]) Get(key K) (v Version[V], ok bool, err error) {
	return version(s.versions.Latest(key))
}

// AsOf returns the version of a key that holds at a time, and whether there is
// one. For a time older than the history that is only known where the newest
// version is older still.
func (s *Versions[K, V]) AsOf(key K, at time.Time) (v Version[V], ok bool, err error) {
	return version(s.versions.AsOf(key, at.UnixMilli()))
}

func version[V any](c cache.Version[V], err error) (Version[V], bool, error) {
	if err != nil || !c.OK {
		return Version[V]{}, false, err
	}
	return Version[V]{Value: c.Value, From: time.UnixMilli(c.From).UTC(), To: end(c.To)}, true, nil
}

func end(ms int64) time.Time {
	if ms == math.MaxInt64 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// attachVersioned is Attach of a store with a history: the one of a table that is
// there, to be read, or one of processors.
func attachVersioned[K, V any](s Store[K, V], b *dsl.Builder, at string) (*topology.Store, func(*task.Task, string)) {
	st, created := b.SharedStore(s.spec(b, topology.Versioned, s.options.history, at), dsl.TypeNames[K, V]())
	if !created {
		return st, nil
	}
	return st, func(t *task.Task, label string) {
		t.Keep(st.Name, cache.OpenVersioned(t, cache.VersionedSpec[K, V]{
			Store: st, Label: label, Key: s.Key(), Value: s.Value(), History: s.History().Milliseconds(), Forget: b.LikeKafka,
		}))
	}
}

// UseTable is [Use] for a table that may be versioned. It is for leat's own
// packages.
func UseTable[K, V any](b *dsl.Builder, s Store[K, V], at string) *topology.Store {
	kind := topology.KeyValue
	if s.options.history > 0 {
		kind = topology.Versioned
	}
	return Use(b, s, kind, s.options.history, at)
}
