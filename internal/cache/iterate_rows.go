package cache

import (
	"strings"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
)

// KeyCell is one cell of an iteration over rows.
type KeyCell[K, V any] struct {
	Key  K
	Cell Cell[V]

	key string // encoded
}

// Cells are the visible cells of a key with a time of at least from and a Sub of
// at most to, in order. The slice is the caller's.
func (s *Rows[K, V]) Cells(k K, from, to int64) ([]Cell[V], error) {
	row, err := s.Row(k)
	if err != nil {
		return nil, err
	}
	return s.visible(row.Cells, max(from, s.Oldest()), to), nil
}

func (s *Rows[K, V]) visible(cells []Cell[V], from, to int64) (found []Cell[V]) {
	for _, c := range cells {
		if c.Time >= from && c.Sub <= to {
			found = append(found, c)
		}
	}
	return found
}

// PutCell sets the cell of a key with that Time and Sub. A null value removes it.
// A cell that has expired is dropped and counted.
func (s *Rows[K, V]) PutCell(k K, time, sub int64, v V) error {
	if isNull := null.Test[V](); isNull != nil && isNull(v) {
		s.seen(time)
		return s.RemoveCell(k, time, sub)
	}
	row, err := s.Row(k)
	if err != nil {
		return err
	}
	if s.layout.expired(time, *s.latest) {
		s.task.Drop(s.label, task.DropLate)
		return nil
	}
	s.Put(row, time, sub, v)
	return nil
}

// RemoveCell removes the cell of a key with that Time and Sub, if there is one.
func (s *Rows[K, V]) RemoveCell(k K, time, sub int64) error {
	row, err := s.Row(k)
	if err != nil {
		return err
	}
	for i := range row.Cells {
		if row.Cells[i].compare(time, sub) == 0 {
			s.Remove(row, i, i+1)
			break
		}
	}
	return nil
}

// All collects every visible cell, by encoded key, Time and Sub. What is in memory
// and not yet in the database is merged in.
func (s *Rows[K, V]) All() ([]KeyCell[K, V], error) {
	var all []KeyCell[K, V]
	oldest := s.Oldest()
	err := s.Stored(func(k K, encoded string, c Cell[V]) {
		if s.rows[encoded] == nil && c.Time >= oldest {
			all = append(all, KeyCell[K, V]{k, c, encoded})
		}
	})
	if err != nil {
		return nil, err
	}
	for _, row := range s.rows {
		for _, c := range row.Cells {
			if c.Time >= oldest {
				all = append(all, KeyCell[K, V]{row.Key, c, row.key})
			}
		}
	}
	sortFunc(all, func(a, b KeyCell[K, V]) int {
		if n := strings.Compare(a.key, b.key); n != 0 {
			return n
		}
		return a.Cell.compare(b.Cell.Time, b.Cell.Sub)
	})
	return all, nil
}
