package cache

import (
	"slices"

	"github.com/leatstream/leat/internal/record"
)

// origins is the headers with which a flush tells of changes: for each dirty entry
// those of the record that changed it last. There is nothing in it unless somebody
// is told.
type origins struct {
	on   bool
	list [][]record.Header
	now  []record.Header // of the task, while others are in their place
}

// note keeps the headers of the record in process for the change of an entry,
// which knows its place in the list, from 1; 0 is none.
func (o *origins) note(place *int, m *record.Meta) {
	switch {
	case !o.on, *place == 0 && len(m.Headers) == 0:
		return
	case *place == 0 || *place > len(o.list):
		o.list = append(o.list, nil)
		*place = len(o.list)
	}
	o.list[*place-1] = slices.Clone(m.Headers)
}

// begin and end stand around a flush.
func (o *origins) begin(m *record.Meta) { o.now = m.Headers }

func (o *origins) end(m *record.Meta) {
	if !o.on {
		return
	}
	clear(o.list)
	o.list = o.list[:0]
	m.Headers, o.now = o.now, nil
}

// tell gives an entry's headers to the task.
func (o *origins) tell(place *int, m *record.Meta) {
	m.Headers = nil
	if *place > 0 && *place <= len(o.list) {
		m.Headers = o.list[*place-1]
	}
	*place = 0
}
