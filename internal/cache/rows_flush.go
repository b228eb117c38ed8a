package cache

import (
	"cmp"
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/task"
)

// Flush implements task.Store. If somebody is told of changes, the cells come in
// the order of their last change, else row by row.
func (s *Rows[K, V]) Flush() error {
	sortFunc(s.dirty, func(a, b *Row[K, V]) int { return cmp.Compare(a.seq, b.seq) })
	s.changes = s.changes[:0]
	for i, row := range s.dirty {
		for j := range row.dead {
			s.changes = append(s.changes, change{i, j, true, row.dead[j].seq})
		}
		for j := range row.Cells {
			if row.Cells[j].dirty {
				s.changes = append(s.changes, change{i, j, false, row.Cells[j].seq})
			}
		}
	}
	if s.notify != nil {
		SortFunc(s.changes, func(a, b change) int { return cmp.Compare(a.seq, b.seq) })
	}
	if err := s.logChanges(); err != nil {
		return err
	}
	s.origins.begin(s.task.Meta())
	defer s.origins.end(s.task.Meta())
	for _, ch := range s.changes {
		if err := s.flushChange(s.dirty[ch.row], ch); err != nil {
			return err
		}
	}
	for _, row := range s.dirty {
		if n := len(row.dead); n > 0 {
			clear(row.dead)
			row.dead = row.dead[:0]
			s.lost(row, n)
		}
		s.hold(&row.cached)
	}
	clear(s.dirty)
	s.dirty = s.dirty[:0]
	s.pinned = 0
	return nil
}

// change is a changed cell of a dirty row, or a removed one.
type change struct {
	row, cell int
	dead      bool
	seq       uint64
}

// logChanges writes the changes to the changelog, removals last, whatever order
// others are told of them in. A crash may leave any part of that in the changelog:
// a session must not be gone there before the one that has taken it up is there, or
// its records would be lost.
func (s *Rows[K, V]) logChanges() error {
	for _, removals := range [...]bool{false, true} {
		for _, ch := range s.changes {
			if ch.dead != removals {
				continue
			}
			row := s.dirty[ch.row]
			c := &row.Cells
			if ch.dead {
				c = &row.dead
			}
			cell := &(*c)[ch.cell]
			if !s.layout.kept(cell.Time, *s.latest) {
				continue
			}
			if err := s.logCell(row, cell); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Rows[K, V]) flushChange(row *Row[K, V], ch change) error {
	if ch.dead {
		return s.flushCell(row, &row.dead[ch.cell])
	}
	c := &row.Cells[ch.cell]
	if err := s.flushCell(row, c); err != nil {
		return err
	}
	c.origin = 0
	var zero V
	c.Old, c.HadOld, c.dirty, c.touched = zero, true, false, false
	return nil
}

func (s *Rows[K, V]) flushCell(row *Row[K, V], c *Cell[V]) error {
	if s.hides(c.Time) {
		c.Old, c.HadOld = *new(V), false
	}
	if s.notify == nil || !c.OK && !c.HadOld {
		return nil
	}
	s.origins.tell(&c.origin, s.task.Meta())
	// From here on Told gives the new value, as KeyValue.Emitted does.
	c.dirty = false
	return s.notify(row, c)
}

func (s *Rows[K, V]) logCell(row *Row[K, V], c *Cell[V]) error {
	arena := s.task.Arena()
	key := append(s.scratch[:0], row.key...)
	key = binary.BigEndian.AppendUint64(key, uint64(c.Sub))
	key = binary.BigEndian.AppendUint64(key, uint64(c.Time))
	s.scratch = key
	w := write{key: arena.Take(s.layout.appendKey(arena.Free(), s.id, key))}
	if c.OK {
		b, err := s.value.Append(binary.BigEndian.AppendUint64(arena.Free(), uint64(c.At)), c.Value)
		if err != nil {
			return s.fail(task.FailedEncode, fmt.Errorf("encode value: %w", err))
		}
		w.value = arena.Take(b)
	}
	return s.log(w, c.At)
}
