package cache

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// read brings the next older cells of a row from the database.
func (s *Versioned[K, V]) read(row *history[V]) error {
	lo := s.rowKey(nil, row.key)
	hi := binary.BigEndian.AppendUint64(slices.Clone(lo), math.MaxUint64)
	if len(row.cells) > 0 {
		hi = appendTime(slices.Clone(lo), row.cells[0].from)
	}
	var older []version[V]
	var failed error
	n, size := 0, int64(0)
	err := s.db.ScanReverse(lo, hi, func(key, value []byte) bool {
		n++
		var c version[V]
		if c, failed = s.decode(key[len(lo):], value); failed != nil {
			return false
		}
		if !slices.Contains(row.gone, c.from) {
			older = append(older, c)
			size += entrySize(&c, len(value))
		}
		return n < versionsAtOnce
	})
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	if failed != nil {
		return s.fail(task.FailedStore, failed)
	}
	// All of a chunk may have been taken back, so a full one is no proof that it
	// brought something: but then it was the newest cell alone.
	row.whole = n < versionsAtOnce
	slices.Reverse(older)
	row.cells = slices.Insert(row.cells, 0, older...)
	s.ring.resize(&row.cached, row.size+size)
	return nil
}

// A cell's key is the length of the row's key (2 bytes, big-endian), that key,
// and the time (8 bytes, in order). A cell's value is the time, the kind, and the
// encoded value; the changelog has it without the time.
func (s *Versioned[K, V]) rowKey(dst []byte, key string) []byte {
	dst = binary.BigEndian.AppendUint16(s.id.Key(dst), uint16(len(key)))
	return append(dst, key...)
}

func appendTime(dst []byte, time int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(time)^1<<63)
}

func (s *Versioned[K, V]) decode(at, value []byte) (c version[V], err error) {
	if len(at) != 8 || len(value) < 9 {
		return c, fmt.Errorf("%w: version of %d bytes at %x", ErrCorrupt, len(value), at)
	}
	c.from = int64(binary.BigEndian.Uint64(at) ^ 1<<63)
	c.kind = versionKind(value[8])
	if c.kind != holds {
		return c, nil
	}
	if c.value, err = s.value.Decode(slices.Clone(value[9:])); err != nil {
		return c, fmt.Errorf("decode stored value (did its type change?): %w", err)
	}
	if s.clone != nil {
		c.value = s.clone(c.value)
	}
	return c, nil
}

// Flush implements task.Store. Rows come in the order of their last change.
func (s *Versioned[K, V]) Flush() error {
	sortFunc(s.dirty, func(a, b *history[V]) int { return cmp.Compare(a.seq, b.seq) })
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

func (s *Versioned[K, V]) flush(row *history[V]) error {
	arena := s.task.Arena()
	// A cell of that time may have been put again: it comes after this.
	for _, at := range row.gone[row.told:] {
		w := write{key: arena.Take(appendTime(s.rowKey(arena.Free(), row.key), at))}
		if err := s.log(w, at); err != nil {
			return err
		}
		row.told++
	}
	for i := range row.cells {
		c := &row.cells[i]
		if !c.dirty {
			continue
		}
		w := write{key: arena.Take(appendTime(s.rowKey(arena.Free(), row.key), c.from))}
		b := append(binary.BigEndian.AppendUint64(arena.Free(), uint64(c.from)), byte(c.kind))
		if c.kind == holds {
			var err error
			if b, err = s.value.Append(b, c.value); err != nil {
				return s.fail(task.FailedEncode, fmt.Errorf("encode value: %w", err))
			}
		}
		w.value = arena.Take(b)
		if err := s.log(w, c.from); err != nil {
			return err
		}
		c.dirty = false
		s.sweep.wrote++
	}
	if row.told > 0 {
		s.flushed = append(s.flushed, row)
	}
	s.hold(&row.cached)
	return nil
}

// Persist implements task.Store.
func (s *Versioned[K, V]) Persist(b *store.Batch) {
	s.base.Persist(b)
	for _, row := range s.flushed {
		row.gone, row.told = row.gone[row.told:], 0
	}
	clear(s.flushed)
	s.flushed = s.flushed[:0]
}

// Restore implements task.Store.
func (s *Versioned[K, V]) Restore(recs []record.Record) error {
	for i := range recs {
		r := &recs[i]
		if len(r.Key) < 10 || r.Value != nil && len(r.Value) < 1 {
			continue // not a cell
		}
		s.restore(r.Key, r)
		s.complete = false
	}
	return nil
}
