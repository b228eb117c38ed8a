package cache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Rows is a store in which a key has many cells, in order of time: its
// sessions, or the records of one side of a join. The cells of a key are held
// in memory together.
type Rows[K, V any] struct {
	base
	key    serde.Serde[K]
	value  serde.Serde[V]
	clone  func(V) V
	notify func(*Row[K, V], *Cell[V]) error

	rows    map[string]*Row[K, V]
	isNull  func(V) bool
	byStart bool
	copyOld bool // old values must be copied through the serde

	dirty    []*Row[K, V]
	changes  []change // of Flush, for its memory
	complete bool     // every row that exists is in memory
	scratch  []byte
}

// Row is the cells of one key. It is valid until the next commit.
type Row[K, V any] struct {
	cached
	Key K
	// Cells are in order of (Time, Sub). They are changed through Rows only.
	Cells []Cell[V]
	dead  []Cell[V] // removed since the last flush
	// partial says that the database may hold further cells.
	partial bool
}

// Cell is one value of a row. Time and Sub identify it within the row.
type Cell[V any] struct {
	Time  int64 // what expiry goes by: a session's end, a window's start, a record's timestamp
	Sub   int64 // a session's start, a window's end, a record's number
	At    int64 // the value's own time
	Value V
	OK    bool // false in a notification of a removal

	Old    V // at the last flush, while the cell is dirty
	HadOld bool

	origin  int // its place in origins
	dirty   bool
	touched bool   // Old was kept before a change
	seq     uint64 // of the last change
}

func (c *Cell[V]) compare(time, sub int64) int {
	return cmp.Or(cmp.Compare(c.Time, time), cmp.Compare(c.Sub, sub))
}

// RowSpec is what a store of rows is made of. An encoded cell key is the
// encoded key, Sub and Time (8 bytes each, big-endian).
type RowSpec[K, V any] struct {
	Store     *topology.Store
	Label     string
	Key       serde.Serde[K]
	Value     serde.Serde[V]
	Retention int64 // milliseconds
	// ByStart says that the cells are windows with their start for Time and their
	// end for Sub, not sessions.
	ByStart bool
	// ShowCached is Layout.ShowCached.
	ShowCached bool
	// KeepOld makes Cell.Old right at the flush, even if V is a type that a
	// function could have changed in place.
	KeepOld bool
	// Changed, if set, is called by Flush for every cell that was removed or
	// changed since the last one.
	Changed func(*Row[K, V], *Cell[V]) error
}

// cellKeyLen is what a cell's key has after the row's.
const cellKeyLen = 16

func cellTime(key []byte) int64 {
	if len(key) < cellKeyLen {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key[len(key)-8:]))
}

// OpenRows opens the store in a task that is being made.
func OpenRows[K, V any](t *task.Task, spec RowSpec[K, V]) *Rows[K, V] {
	s := &Rows[K, V]{
		base:    openBase(t, spec.Store, spec.Label, Layout{Retention: spec.Retention, TimeOf: cellTime, ShowCached: spec.ShowCached}),
		key:     spec.Key,
		value:   spec.Value,
		notify:  spec.Changed,
		isNull:  null.Test[V](),
		byStart: spec.ByStart,
		rows:    map[string]*Row[K, V]{},

		copyOld: spec.KeepOld && null.Mutable[V](),
	}
	if c, ok := spec.Value.(serde.Cloner[V]); ok {
		s.clone = c.Clone
		s.copyOld = false // a view is replaced, never changed in place
	}
	s.origins.on = s.notify != nil
	t.OpenStore(spec.Store, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		err := s.attach(changelog, db, id)
		s.complete = s.fresh
		return s, err
	})
	return s
}

// Row finds or makes the row of k, without cells that have expired.
func (s *Rows[K, V]) Row(k K) (*Row[K, V], error) {
	row, err := s.Slot(k)
	if err != nil {
		return nil, err
	}
	if row.partial {
		if err := s.fill(row); err != nil {
			return nil, err
		}
		s.trim(row)
	}
	return row, nil
}

// Slot is Row for a caller that will put new cells only, whatever others there
// are: the database isn't asked, so the row may lack some.
func (s *Rows[K, V]) Slot(k K) (*Row[K, V], error) {
	key, err := s.key.Append(s.scratch[:0], k)
	if err != nil {
		return nil, s.fail(task.FailedEncode, fmt.Errorf("encode key: %w", err))
	}
	s.scratch = key
	row := s.rows[string(key)]
	if row == nil {
		if row, err = s.admit(key); err != nil {
			return nil, err
		}
	}
	row.used = true
	s.trim(row)
	return row, nil
}

func (s *Rows[K, V]) trim(row *Row[K, V]) {
	if s.layout.ShowCached && s.ring.bytes <= s.task.CacheBytes() {
		return
	}
	n := 0
	for n < len(row.Cells) && s.layout.expired(row.Cells[n].Time, *s.latest) && !row.Cells[n].dirty {
		n++
	}
	if n > 0 {
		row.Cells = slices.Delete(row.Cells, 0, n)
		s.lost(row, n)
	}
}

// lost counts n cells that left a row.
func (s *Rows[K, V]) lost(row *Row[K, V], n int) {
	least := entrySize(row, len(row.key))
	before := int64(len(row.Cells)+len(row.dead)) + int64(n)
	s.ring.resize(&row.cached, row.size-(row.size-least)*int64(n)/before)
}

// admit makes a row for an encoded key, without what the database has of it.
func (s *Rows[K, V]) admit(key []byte) (*Row[K, V], error) {
	row := &Row[K, V]{cached: cached{key: string(key), used: true}}
	k, err := s.key.Decode(view(row.key))
	if err != nil {
		return nil, s.fail(task.FailedDecode, fmt.Errorf("decode key: %w", err))
	}
	row.Key = k
	row.size = entrySize(row, len(key))
	if !s.fresh {
		s.complete = false // something was restored
	}
	row.partial = !s.complete
	s.rows[row.key] = row
	s.ring.admit(&row.cached, s.task.CacheBytes(), func(key string) {
		delete(s.rows, key)
		s.complete = false
		s.fresh = false
	})
	return row, nil
}

// fill brings what a row lacks. Cells in memory are more recent than those in
// the database.
func (s *Rows[K, V]) fill(row *Row[K, V]) error {
	recent, size := row.Cells, row.size
	row.Cells = nil
	err := s.read(row)
	stored := row.Cells
	row.Cells, row.partial = recent, err != nil
	grown := row.size
	row.size = size
	if err != nil {
		return err
	}
	s.ring.resize(&row.cached, grown)
	has := func(cells []Cell[V], c *Cell[V]) bool {
		for i := range cells {
			if cells[i].compare(c.Time, c.Sub) == 0 {
				return true
			}
		}
		return false
	}
	row.Cells = slices.DeleteFunc(stored, func(c Cell[V]) bool { return has(recent, &c) || has(row.dead, &c) })
	if len(recent) > 0 {
		row.Cells = append(row.Cells, recent...)
		sortFunc(row.Cells, func(a, b Cell[V]) int { return a.compare(b.Time, b.Sub) })
	}
	return nil
}

// read brings the cells of a row from the database, segment by segment.
func (s *Rows[K, V]) read(row *Row[K, V]) error {
	interval := s.layout.interval()
	first, last := int64(0), max(s.highest, 0)/interval
	if s.layout.Retention > 0 {
		first = max(0, *s.latest-s.layout.Retention) / interval
	}
	var failed error
	for seg := first; seg <= last; seg++ {
		lo := append(binary.BigEndian.AppendUint64(s.id.Key(nil), uint64(seg)), row.key...)
		hi := append(bytes.Clone(lo), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
		err := s.db.Scan(lo, hi, func(key, value []byte) bool {
			// A longer key may lie between the cells of this one.
			if len(key) == len(lo)+cellKeyLen {
				failed = s.readCell(row, key[len(lo):], value)
			}
			return failed == nil
		})
		if err != nil {
			return s.fail(task.FailedStore, err)
		}
		if failed != nil {
			return failed
		}
	}
	sortFunc(row.Cells, func(a, b Cell[V]) int { return a.compare(b.Time, b.Sub) })
	return nil
}

func (s *Rows[K, V]) readCell(row *Row[K, V], at, value []byte) error {
	if len(value) < 8 {
		return s.fail(task.FailedStore, fmt.Errorf("%w: cell of %d bytes", ErrCorrupt, len(value)))
	}
	v, err := s.value.Decode(value[8:])
	if err != nil {
		return s.fail(task.FailedStore, fmt.Errorf("decode stored value (did its type change?): %w", err))
	}
	if s.clone != nil {
		v = s.clone(v)
	}
	row.Cells = append(row.Cells, Cell[V]{
		Sub: int64(binary.BigEndian.Uint64(at)), Time: int64(binary.BigEndian.Uint64(at[8:])),
		At: int64(binary.BigEndian.Uint64(value)), Value: v, OK: true, HadOld: true,
	})
	row.size += int64(len(value)) + 64
	return nil
}

// Put adds a cell, or changes the one with that Time and Sub. The value's own
// time is that of the cell.
func (s *Rows[K, V]) Put(row *Row[K, V], time, sub int64, v V) { s.PutAt(row, time, sub, time, v) }

// PutAt is Put with a time of the value's own.
func (s *Rows[K, V]) PutAt(row *Row[K, V], time, sub, at int64, v V) {
	if s.clone != nil {
		v = s.clone(v)
	}
	s.seen(time)
	i := len(row.Cells)
	for i > 0 && row.Cells[i-1].compare(time, sub) > 0 {
		i--
	}
	if i > 0 && row.Cells[i-1].compare(time, sub) == 0 {
		c := &row.Cells[i-1]
		if !c.dirty && !c.touched {
			c.Old = c.Value
		}
		c.Value, c.At, c.dirty, c.seq = v, at, true, s.seq+1
		s.origins.note(&c.origin, s.task.Meta())
	} else {
		c := Cell[V]{Time: time, Sub: sub, At: at, Value: v, OK: true, dirty: true, seq: s.seq + 1}
		s.origins.note(&c.origin, s.task.Meta())
		more := entrySize(&c, 0)
		for j := range row.dead {
			if d := &row.dead[j]; d.compare(time, sub) == 0 {
				c.Old, c.HadOld = d.Old, true
				row.dead = slices.Delete(row.dead, j, j+1)
				more = 0 // it is counted
				break
			}
		}
		row.Cells = slices.Insert(row.Cells, i, c)
		s.ring.resize(&row.cached, row.size+more)
	}
	s.markRow(row)
}

// Remove takes the cells [i, j) away.
func (s *Rows[K, V]) Remove(row *Row[K, V], i, j int) {
	gone := 0
	for _, c := range row.Cells[i:j] {
		if !c.HadOld {
			gone++ // nobody has heard of it
			continue
		}
		if !c.dirty && !c.touched {
			c.Old = c.Value
		}
		var zero V
		c.Value, c.OK, c.seq = zero, false, s.seq+1
		s.origins.note(&c.origin, s.task.Meta())
		row.dead = append(row.dead, c)
	}
	row.Cells = slices.Delete(row.Cells, i, j)
	if gone > 0 {
		s.lost(row, gone)
	}
	s.markRow(row)
}

func (s *Rows[K, V]) markRow(row *Row[K, V]) {
	if s.mark(&row.cached) {
		s.dirty = append(s.dirty, row)
	}
}

// Restore implements task.Store.
func (s *Rows[K, V]) Restore(recs []record.Record) error {
	for i := range recs {
		if len(recs[i].Key) >= cellKeyLen {
			s.restore(recs[i].Key, &recs[i])
		}
	}
	return nil
}

// Expired reports whether a cell of that time would be too old to be seen.
func (s *Rows[K, V]) Expired(time int64) bool { return time < s.Oldest() }

// Oldest is the lowest time of a cell that can still be seen. A row may hold
// older ones that wait for the flush: who walks through it stops there, or the
// time of a commit would decide what is found.
func (s *Rows[K, V]) Oldest() int64 {
	if s.layout.Retention == 0 || s.layout.ShowCached {
		return math.MinInt64
	}
	return *s.latest - max(s.layout.Retention, 0) + 1
}

// ByStart reports whether the cells are windows with their start for Time.
func (s *Rows[K, V]) ByStart() bool { return s.byStart }

// None reports whether a value is null: there is no cell then.
func (s *Rows[K, V]) None(v V) bool { return s.isNull != nil && s.isNull(v) }

// Touch prepares cell i for a change by a function that may work in place: what
// it was is kept, where somebody will ask for it.
func (s *Rows[K, V]) Touch(row *Row[K, V], i int) error {
	c := &row.Cells[i]
	if c.dirty || c.touched {
		return nil
	}
	c.Old, c.touched = c.Value, true
	if s.copyOld {
		old, err := s.Copy(c.Value)
		if err != nil {
			return err
		}
		c.Old = old
	}
	return nil
}

// Copy is a copy of a value that shares no memory with it, made by the serde.
func (s *Rows[K, V]) Copy(v V) (V, error) {
	if s.clone != nil {
		return s.clone(v), nil
	}
	return copyOf(&s.base, s.value, v)
}

// Encoded is the row's encoded key.
func (r *Row[K, V]) Encoded() string { return r.key }

// Stored calls yield with every cell in the database, by segment and key. It is
// for a node that begins; cells that were changed since are not as they were.
func (s *Rows[K, V]) Stored(yield func(key K, encoded string, c Cell[V])) error {
	var failed error
	err := s.db.Scan(s.id.Key(nil), s.latestKey(), func(key, value []byte) bool {
		encoded := key[s.layout.prefixLen():]
		if len(encoded) < cellKeyLen {
			return true
		}
		row := &Row[K, V]{cached: cached{key: string(encoded[:len(encoded)-cellKeyLen])}}
		if failed = s.readCell(row, encoded[len(row.key):], bytes.Clone(value)); failed != nil {
			return false
		}
		k, err := s.key.Decode(view(row.key))
		if err != nil {
			failed = s.fail(task.FailedStore, fmt.Errorf("decode key: %w", err))
			return false
		}
		yield(k, row.key, row.Cells[0])
		return true
	})
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	return failed
}
