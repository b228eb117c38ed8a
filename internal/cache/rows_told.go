package cache

// Told is a cell's value as the nodes after the store were last told: it differs
// from the cell's while that waits for the flush.
func (s *Rows[K, V]) Told(row *Row[K, V], time, sub int64) (v V, at int64, ok bool) {
	for i := range row.dead {
		if c := &row.dead[i]; c.Time == time && c.Sub == sub && s.notify != nil {
			return c.Old, c.At, c.HadOld
		}
	}
	c := row.Cell(time, sub)
	switch {
	case c == nil:
		return v, 0, false
	case c.dirty && s.notify != nil:
		return c.Old, c.At, c.HadOld
	}
	return c.Value, c.At, true
}

// Cell is the cell of that time and sub, nil if there is none.
func (r *Row[K, V]) Cell(time, sub int64) *Cell[V] {
	for i := len(r.Cells) - 1; i >= 0 && r.Cells[i].compare(time, sub) >= 0; i-- {
		if r.Cells[i].compare(time, sub) == 0 {
			return &r.Cells[i]
		}
	}
	return nil
}
