package stream

import (
	"cmp"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/window"
)

// PutAt notes the window of a cell as open.
func (c *cells[K, A]) PutAt(row *cache.Row[K, A], time, sub, at int64, v A) {
	c.Rows.PutAt(row, time, sub, at, v)
	end := time
	if c.ByStart() {
		end = sub
	}
	c.failed = cmp.Or(c.failed, c.closer.Opened(time, sub, row.Key, end))
}

// Remove notes the windows of the cells [i, j) as gone.
func (c *cells[K, A]) Remove(row *cache.Row[K, A], i, j int) {
	for _, cell := range row.Cells[i:j] {
		c.failed = cmp.Or(c.failed, c.closer.Gone(cell.Time, cell.Sub, row.Key))
	}
	c.Rows.Remove(row, i, j)
}

// closing is called with each record that has a key, when stream time has moved
// on and nothing else was done.
func (c *cells[K, A]) closing(streamTime int64) error { return c.closer.Before(streamTime) }

// closed is called when such a record was processed.
func (c *cells[K, A]) closed(streamTime int64) error {
	return cmp.Or(c.failed, c.closer.After(streamTime))
}

// tell tells of a window that is closed.
func (c *cells[K, A]) tell(w cache.Buffered[K, int64]) error {
	row, err := c.Row(w.Key)
	if err != nil {
		return err
	}
	cell := row.Cell(w.Time, w.Sub)
	if cell == nil {
		return nil // Kafka's store doesn't find it any more
	}
	return c.port.Emit(dsl.Change[window.Key[K], A]{
		Key: window.Key[K]{Key: row.Key, Span: c.span(cell)},
		New: cell.Value, HasNew: true, Time: cell.At, Meta: c.task.Meta(),
	})
}

// lookup reads rows by window.
func (c *cells[K, A]) lookup(k window.Key[K], view dsl.View) (r dsl.Row[A], err error) {
	row, err := c.Row(k.Key)
	if err != nil {
		return r, err
	}
	time, sub := c.place(k.Span)
	if cell := row.Cell(time, sub); cell != nil {
		r = dsl.Row[A]{Value: cell.Value, OK: true, Time: cell.At}
	}
	if view == dsl.Latest {
		return r, nil
	}
	if c.closer != nil {
		r.OK = r.OK && c.closer.Told(k.EndMS)
		return r, nil
	}
	r.Value, r.Time, r.OK = c.Told(row, time, sub)
	return c.port.Told(k, r)
}
