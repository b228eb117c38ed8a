package cache

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

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

	rows     map[string]*Row[K, V]
	dirty    []*Row[K, V]
	complete bool // every row that exists is in memory
	scratch  []byte
}

// Row is the cells of one key. It is valid until the next commit.
type Row[K, V any] struct {
	cached
	Key K
	// Cells are in order of (Time, Sub). They are changed through Rows only.
	Cells []Cell[V]
	dead  []Cell[V] // removed since the last flush
}

// Cell is one value of a row. Time and Sub identify it within the row.
type Cell[V any] struct {
	Time  int64 // what expiry goes by: a session's end, a record's timestamp
	Sub   int64 // a session's start, a record's number
	Value V
	OK    bool // false in a notification of a removal

	Old    V // at the last flush, while the cell is dirty
	HadOld bool
	dirty  bool
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
		base:   openBase(t, spec.Store, spec.Label, Layout{Retention: spec.Retention, TimeOf: cellTime}),
		key:    spec.Key,
		value:  spec.Value,
		notify: spec.Changed,
		rows:   map[string]*Row[K, V]{},
	}
	if c, ok := spec.Value.(serde.Cloner[V]); ok {
		s.clone = c.Clone
	}
	t.OpenStore(spec.Store, func(changelog int, db store.DB, id store.ID) (task.Store, error) {
		err := s.attach(changelog, db, id)
		s.complete = s.fresh
		return s, err
	})
	return s
}

// Row finds or makes the row of k, without cells that have expired.
func (s *Rows[K, V]) Row(k K) (*Row[K, V], error) {
	key, err := s.key.Append(s.scratch[:0], k)
	if err != nil {
		return nil, s.fail(task.FailedEncode, fmt.Errorf("encode key: %w", err))
	}
	s.scratch = key
	row := s.rows[string(key)]
	if row == nil {
		if row, err = s.load(key); err != nil {
			return nil, err
		}
	}
	row.used = true
	s.trim(row)
	return row, nil
}

func (s *Rows[K, V]) trim(row *Row[K, V]) {
	n := 0
	for n < len(row.Cells) && s.layout.expired(row.Cells[n].Time, *s.latest) && !row.Cells[n].dirty {
		n++
	}
	if n > 0 {
		row.Cells = slices.Delete(row.Cells, 0, n)
	}
}

func (s *Rows[K, V]) load(key []byte) (*Row[K, V], error) {
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
	if !s.complete {
		if err := s.read(row); err != nil {
			return nil, err
		}
	}
	s.rows[row.key] = row
	s.ring.admit(&row.cached, s.task.CacheBytes(), func(key string) {
		delete(s.rows, key)
		s.complete = false
		s.fresh = false
	})
	return row, nil
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
	slices.SortFunc(row.Cells, func(a, b Cell[V]) int { return a.compare(b.Time, b.Sub) })
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
		Value: v, OK: true, HadOld: true,
	})
	row.size += int64(len(value)) + 64
	return nil
}

// Put adds a cell, or changes the one with that Time and Sub.
func (s *Rows[K, V]) Put(row *Row[K, V], time, sub int64, v V) {
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
		if !c.dirty {
			c.Old = c.Value
		}
		c.Value, c.dirty = v, true
	} else {
		c := Cell[V]{Time: time, Sub: sub, Value: v, OK: true, dirty: true}
		for j := range row.dead {
			if d := &row.dead[j]; d.compare(time, sub) == 0 {
				c.Old, c.HadOld = d.Old, true
				row.dead = slices.Delete(row.dead, j, j+1)
				break
			}
		}
		row.Cells = slices.Insert(row.Cells, i, c)
		s.ring.resize(&row.cached, row.size+entrySize(&c, 0))
	}
	s.markRow(row)
}

// Remove takes the cells [i, j) away.
func (s *Rows[K, V]) Remove(row *Row[K, V], i, j int) {
	for _, c := range row.Cells[i:j] {
		if !c.HadOld {
			continue // nobody has heard of it
		}
		if !c.dirty {
			c.Old = c.Value
		}
		var zero V
		c.Value, c.OK = zero, false
		row.dead = append(row.dead, c)
	}
	row.Cells = slices.Delete(row.Cells, i, j)
	s.markRow(row)
}

func (s *Rows[K, V]) markRow(row *Row[K, V]) {
	if s.mark(&row.cached) {
		s.dirty = append(s.dirty, row)
	}
}

// Flush implements task.Store. Rows come in the order of their last change,
// removed cells of a row before the others.
func (s *Rows[K, V]) Flush() error {
	slices.SortFunc(s.dirty, func(a, b *Row[K, V]) int { return cmp.Compare(a.seq, b.seq) })
	for i, row := range s.dirty {
		if err := s.flush(row); err != nil {
			s.dirty = slices.Delete(s.dirty, 0, i)
			return err
		}
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	s.pinned = 0
	return nil
}

func (s *Rows[K, V]) flush(row *Row[K, V]) error {
	for len(row.dead) > 0 {
		if err := s.flushCell(row, &row.dead[0]); err != nil {
			return err
		}
		row.dead = slices.Delete(row.dead, 0, 1)
	}
	for i := range row.Cells {
		c := &row.Cells[i]
		if !c.dirty {
			continue
		}
		if err := s.flushCell(row, c); err != nil {
			return err
		}
		var zero V
		c.Old, c.HadOld, c.dirty = zero, true, false
	}
	s.hold(&row.cached)
	return nil
}

func (s *Rows[K, V]) flushCell(row *Row[K, V], c *Cell[V]) error {
	arena := s.task.Arena()
	key := append(s.scratch[:0], row.key...)
	key = binary.BigEndian.AppendUint64(key, uint64(c.Sub))
	key = binary.BigEndian.AppendUint64(key, uint64(c.Time))
	s.scratch = key
	w := write{key: arena.Take(s.layout.appendKey(arena.Free(), s.id, key))}
	if c.OK {
		b, err := s.value.Append(binary.BigEndian.AppendUint64(arena.Free(), uint64(c.Time)), c.Value)
		if err != nil {
			return s.fail(task.FailedEncode, fmt.Errorf("encode value: %w", err))
		}
		w.value = arena.Take(b)
	}
	if err := s.log(w, c.Time); err != nil {
		return err
	}
	if s.notify == nil {
		return nil
	}
	return s.notify(row, c)
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
func (s *Rows[K, V]) Expired(time int64) bool { return s.layout.expired(time, *s.latest) }

// Oldest is the lowest time of a cell that can still be seen. A row may hold
// older ones that wait for the flush: who walks through it stops there, or the
// time of a commit would decide what is found.
func (s *Rows[K, V]) Oldest() int64 {
	if s.layout.Retention <= 0 {
		return math.MinInt64
	}
	return *s.latest - s.layout.Retention + 1
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
