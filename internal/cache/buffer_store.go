package cache

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// The first byte behind the prefix of a buffer's rows in the database.
const (
	rowCell  = 1 // a cell; what follows is in the changelog too
	rowPlace = 2 // the time of a key's item, in a keyed buffer
)

// loadBytes is how much is read from the database at once.
const loadBytes = 256 << 10

// bounds are the database keys of the cells from the given one on.
func (s *Buffer[K, V]) bounds(cell string) (lo, hi []byte) {
	if cell == "" {
		cell = string(rune(rowCell))
	}
	return s.id.Key(nil, view(cell)), s.id.Key(nil, []byte{rowPlace})
}

func (s *Buffer[K, V]) placeKey(key []byte) []byte {
	return s.id.Key(nil, []byte{rowPlace}, key)
}

// load reads the next cells behind the frontier.
func (s *Buffer[K, V]) load() error {
	var failed error
	read, last := 0, ""
	limit := max(loadBytes, int(s.task.CacheBytes()/8))
	lo, hi := s.bounds(s.frontier)
	err := s.db.Scan(lo, hi, func(key, value []byte) bool {
		if read > limit {
			return false
		}
		read += len(key) + len(value) + itemOverhead
		last = string(key[store.PrefixLen:])
		if s.items[last] == nil {
			_, failed = s.loaded(last, slices.Clone(value))
		}
		return failed == nil
	})
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	if failed != nil {
		return failed
	}
	if read > limit {
		s.frontier = last + "\x00"
	} else {
		s.complete, s.frontier = true, ""
	}
	return nil
}

// loaded takes a cell of the database into memory.
func (s *Buffer[K, V]) loaded(cell string, value []byte) (*item, error) {
	if len(value) < 8 {
		return nil, s.fail(task.FailedStore, fmt.Errorf("%w: value of %d bytes", ErrCorrupt, len(value)))
	}
	it := s.admit(cell, value[8:], true)
	it.counts = int64(store.PrefixLen + len(cell) + len(value)) // it is counted already
	s.heap.push(it)
	if s.keyed {
		_, _, key, err := splitCell(cell)
		if err != nil {
			return nil, s.fail(task.FailedStore, err)
		}
		it.key = string(key)
		s.keys[it.key] = it
	}
	return it, nil
}

// Flush implements task.Store. What was taken out goes first, so that a key's
// item of before doesn't delete the one of now when this is replayed.
func (s *Buffer[K, V]) Flush() error {
	for _, gone := range [...]bool{true, false} {
		for _, it := range s.dirty {
			if !it.dirty || (it.at < 0) != gone || gone && !it.stored {
				continue
			}
			if err := s.flush(it); err != nil {
				return err
			}
		}
	}
	for _, it := range s.dirty {
		it.dirty = false
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	s.pinned = 0
	return nil
}

func (s *Buffer[K, V]) flush(it *item) error {
	arena := s.task.Arena()
	w := write{key: arena.Take(s.id.Key(arena.Free(), view(it.cell)))}
	time := max(s.task.StreamTime(), 0)
	if it.at >= 0 {
		w.value = arena.Take(append(binary.BigEndian.AppendUint64(arena.Free(), uint64(time)), it.payload...))
	}
	if err := s.log(w, time); err != nil {
		return err
	}
	if s.keyed {
		if err := s.place(view(it.cell), it.at >= 0); err != nil {
			return err
		}
	}
	it.dirty = false
	it.stored = true
	if !it.held {
		it.held = true
		s.held = append(s.held, it)
	}
	return nil
}

// place queues, for the database only, where a key's item is.
func (s *Buffer[K, V]) place(cell []byte, there bool) error {
	time, _, key, err := splitCell(string(cell))
	if err != nil {
		return s.fail(task.FailedStore, err)
	}
	w := write{key: s.placeKey(key)}
	if there {
		w.value = binary.BigEndian.AppendUint64(nil, uint64(time))
	}
	s.pending = append(s.pending, w)
	return nil
}

// Persist implements task.Store.
func (s *Buffer[K, V]) Persist(b *store.Batch) {
	s.base.Persist(b)
	for _, it := range s.held {
		it.held = false
		if it.at < 0 && !it.dirty {
			s.forget(it)
		}
	}
	clear(s.held)
	s.held = s.held[:0]
	if s.memory > s.task.CacheBytes() {
		s.spill()
	}
}

// spill drops the later half of what memory may hold, which the database has.
func (s *Buffer[K, V]) spill() {
	slices.SortFunc(s.heap, func(a, b *item) int { return strings.Compare(a.cell, b.cell) })
	kept, room := s.heap[:0], s.task.CacheBytes()/2
	all := s.heap
	for _, it := range all {
		room -= int64(len(it.cell)+len(it.payload)) + itemOverhead
		if room >= 0 || it.dirty || it.held {
			it.at = len(kept)
			kept = append(kept, it)
			continue
		}
		if s.complete || it.cell < s.frontier {
			s.complete, s.frontier = false, it.cell
		}
		it.at = -1
		s.forget(it)
	}
	clear(all[len(kept):])
	s.heap = kept
}

// Restore implements task.Store.
func (s *Buffer[K, V]) Restore(recs []record.Record) error {
	for i := range recs {
		r := &recs[i]
		if _, _, _, err := splitCell(string(r.Key)); err != nil {
			continue
		}
		s.restore(r.Key, r)
		if s.keyed {
			if err := s.place(r.Key, r.Value != nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// itemHeap is a binary heap in order of the cells, whose items know where they
// are.
type itemHeap []*item

func (h *itemHeap) push(it *item) {
	it.at = len(*h)
	*h = append(*h, it)
	h.up(it.at)
}

func (h *itemHeap) remove(it *item) {
	s := *h
	i, last := it.at, len(s)-1
	s[i] = s[last]
	s[i].at = i
	s[last] = nil
	*h = s[:last]
	if i < last {
		h.up(i)
		h.down(i)
	}
	it.at = -1
}

func (h itemHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h itemHeap) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[i].cell >= h[parent].cell {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h itemHeap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].cell < h[child].cell {
			child++
		}
		if h[child].cell >= h[i].cell {
			return
		}
		h.swap(i, child)
		i = child
	}
}
