package cache

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Versioned is a store that keeps what the value of a key was over time, for as
// long as its history: what is put with a time holds from then on, until the
// next version of the key.
//
// Each version is a cell of its own, in the database and in the changelog: its
// key is that of the row and the time from which it holds. So compaction, which
// goes by the broker's clock, never takes a version away that is still in the
// history, however old the records are that an application works through.
//
// A row's newest cells are in memory, older ones are read when they are asked
// for, a chunk at a time.
type Versioned[K, V any] struct {
	base
	key     serde.Serde[K]
	value   serde.Serde[V]
	clone   func(V) V
	isNull  func(V) bool
	history int64
	forget  bool

	rows     map[string]*history[V]
	dirty    []*history[V]
	flushed  []*history[V] // with cells that the database may still have
	complete bool          // every cell that exists is in memory
	scratch  []byte
	sweep    sweep
}

// VersionedSpec is what a versioned store is made of.
type VersionedSpec[K, V any] struct {
	Store   *topology.Store
	Label   string // of the node that owns it, for errors
	Key     serde.Serde[K]
	Value   serde.Serde[V]
	History int64 // milliseconds
	// Forget lets a deletion at the very time of the newest version leave no
	// trace where nothing ends there, as in Kafka Streams: a put of an older
	// version then makes it the newest.
	Forget bool
}

// NoEnd is the end of a version that still holds.
const NoEnd = math.MaxInt64

// Version is the value of a key over a time.
type Version[V any] struct {
	Value V
	OK    bool  // there is a value
	From  int64 // milliseconds since the epoch
	To    int64 // exclusive; NoEnd for the newest
}

// Placed is what became of a version that was put.
type Placed[V any] struct {
	// Kept is false for a version that is older than the history: nothing was
	// put.
	Kept bool
	To   int64 // until when it holds, NoEnd for the newest
	// Before is what held at its time until now.
	Before Version[V]
}

// history is the row of one key.
type history[V any] struct {
	cached
	cells []version[V] // the newest ones, in order of time
	whole bool         // nothing older is in the database
	// gone are the times of cells that were taken back, until the database knows;
	// the first told of them are in the changelog.
	gone []int64
	told int
}

// version is one cell: what holds from a time on.
type version[V any] struct {
	from  int64
	value V
	kind  versionKind
	dirty bool
}

// versionKind is the first byte of an encoded cell.
type versionKind byte

const (
	deletion versionKind = iota // the end of the version before, put as the newest
	holds                       // a value
	// cut is a deletion that was put before a version which was there already.
	cut
)

// OpenVersioned opens the store in a task that is being made.
func OpenVersioned[K, V any](t *task.Task, spec VersionedSpec[K, V]) *Versioned[K, V] {
	s := &Versioned[K, V]{
		base: openBase(t, spec.Store, spec.Label, Layout{}), key: spec.Key, value: spec.Value,
		isNull: null.Test[V](), history: spec.History, forget: spec.Forget, rows: map[string]*history[V]{},
	}
	if c, ok := spec.Value.(serde.Cloner[V]); ok {
		s.clone = c.Clone
	}
	t.OpenStore(spec.Store, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		if err := s.attach(changelog, db, id); err != nil {
			return s, err
		}
		s.complete = true
		lo, hi := id.Bounds()
		err := db.Scan(lo, hi, func(_, _ []byte) bool {
			s.complete = false
			return false
		})
		return s, err
	})
	return s
}

// Horizon is the time before which nothing can be put or found out any more,
// but the newest version of each key.
func (s *Versioned[K, V]) Horizon() int64 { return *s.latest - s.history }

// Put makes v the value of k from a time on; without a value, that is the end of
// the version before. A version that holds from exactly then is replaced.
func (s *Versioned[K, V]) Put(k K, v V, has bool, time int64) (p Placed[V], err error) {
	if time < s.Horizon() {
		return p, nil
	}
	row, err := s.row(k)
	if err != nil {
		return p, err
	}
	// One more cell than needed, since forgets asks for it.
	if err := s.reach(row, time-1); err != nil {
		return p, err
	}
	*s.latest = max(*s.latest, time)
	i := row.after(time)
	p.Kept, p.To, p.Before = true, row.end(i), row.at(i)
	c := version[V]{from: time, dirty: true}
	switch {
	case has && (s.isNull == nil || !s.isNull(v)):
		c.kind, c.value = holds, v
		if s.clone != nil {
			c.value = s.clone(v)
		}
	case p.To != NoEnd:
		c.kind = cut
	}
	s.place(row, i, c)
	if s.mark(&row.cached) {
		s.dirty = append(s.dirty, row)
	}
	return p, nil
}

// place puts a cell before cell i, or in the place of the one of its time.
func (s *Versioned[K, V]) place(row *history[V], i int, c version[V]) {
	switch {
	case i == 0 || row.cells[i-1].from != c.from:
		row.cells = slices.Insert(row.cells, i, c)
		s.ring.resize(&row.cached, row.size+entrySize(&c, 0))
	case s.forgets(row, i-1, &c):
		row.cells = slices.Delete(row.cells, i-1, i)
		row.gone = append(row.gone, c.from)
	default:
		row.cells[i-1] = c
	}
}

// forgets reports whether a deletion takes the newest version away as if it had
// never been.
func (s *Versioned[K, V]) forgets(row *history[V], i int, c *version[V]) bool {
	return s.forget && c.kind == deletion && row.cells[i].kind == holds &&
		(i == 0 || row.cells[i-1].kind == deletion)
}

// Latest is the newest version of k.
func (s *Versioned[K, V]) Latest(k K) (v Version[V], err error) {
	row, err := s.row(k)
	if err != nil {
		return v, err
	}
	if err := s.reach(row, math.MaxInt64); err != nil {
		return v, err
	}
	return row.at(len(row.cells)), nil
}

// AsOf is the version of k that holds at a time. Before the horizon that is
// known of the newest one only.
func (s *Versioned[K, V]) AsOf(k K, at int64) (v Version[V], err error) {
	if at < s.Horizon() {
		if v, err = s.Latest(k); v.From > at {
			return Version[V]{}, err
		}
		return v, err
	}
	row, err := s.row(k)
	if err != nil {
		return v, err
	}
	if err := s.reach(row, at); err != nil {
		return v, err
	}
	return row.at(row.after(at)), nil
}

// after is the index of the first cell later than a time.
func (r *history[V]) after(time int64) int {
	if n := len(r.cells); n == 0 || r.cells[n-1].from <= time {
		return n // nearly always
	}
	return sort.Search(len(r.cells), func(i int) bool { return r.cells[i].from > time })
}

// end is where the version before cell i ends.
func (r *history[V]) end(i int) int64 {
	if i == len(r.cells) {
		return NoEnd
	}
	return r.cells[i].from
}

// at is the version before cell i.
func (r *history[V]) at(i int) (v Version[V]) {
	if i == 0 {
		return v
	}
	if c := &r.cells[i-1]; c.kind == holds {
		v = Version[V]{Value: c.value, OK: true, From: c.from, To: r.end(i)}
	}
	return v
}

// row finds or makes the row of k; its cells may have to be read yet.
func (s *Versioned[K, V]) row(k K) (*history[V], error) {
	key, err := s.key.Append(s.scratch[:0], k)
	if err == nil && len(key) > math.MaxUint16 {
		err = fmt.Errorf("it has %d bytes, more than %d", len(key), math.MaxUint16)
	}
	if err != nil {
		return nil, s.fail(task.FailedEncode, fmt.Errorf("encode key: %w", err))
	}
	s.scratch = key
	row := s.rows[string(key)]
	if row != nil {
		row.used = true
		s.trim(row)
		return row, nil
	}
	row = &history[V]{cached: cached{key: string(key), used: true}, whole: s.complete}
	row.size = entrySize(row, len(key))
	s.rows[row.key] = row
	s.ring.admit(&row.cached, s.task.CacheBytes(), func(key string) {
		delete(s.rows, key)
		s.complete = false
	})
	return row, nil
}

// The cells of a row that are read at once, and that stay in memory.
const (
	versionsAtOnce = 16
	versionsKept   = 64
)

// trim lets a row's oldest cells go, when it has grown long.
func (s *Versioned[K, V]) trim(row *history[V]) {
	n := len(row.cells) - versionsKept
	if n < versionsKept || row.dirty || row.held {
		return
	}
	row.cells = slices.Delete(row.cells, 0, n)
	row.whole = false
	s.ring.resize(&row.cached, row.size-int64(n)*entrySize(&row.cells[0], 0))
}

// reach reads older cells until the one that holds at a time is there.
func (s *Versioned[K, V]) reach(row *history[V], time int64) error {
	for !row.whole && (len(row.cells) == 0 || row.cells[0].from > time) {
		if err := s.read(row); err != nil {
			return err
		}
	}
	return nil
}
