package task

import (
	"slices"

	"github.com/leatstream/leat/internal/minheap"
	"github.com/leatstream/leat/internal/record"
)

// backlog is the records that an order holds, to be taken by their places. Since a
// task writes its records in order, and many at a time, what is fetched falls into
// long runs of rising places. They are merged: the heap has a run for an element,
// and a record is neither copied nor moved.
type backlog struct {
	runs  minheap.Heap[run] // by the place of their first record
	bytes int64
}

// run is records of one slab, next to each other, of rising places.
type run struct {
	place        // of the first
	slab         *slab
	from, behind int
}

// Before implements minheap.Ordered.
func (r run) Before(s run) bool { return r.before(s.place) }

// slab is records that were fetched together.
type slab struct {
	recs  []record.Record
	floor int64           // the time of the last record taken before they came
	all   []record.Record // what to give back once nothing is left
	left  int
	round uint64 // of the poll that brought them
}

func (b *backlog) empty() bool { return len(b.runs) == 0 }

// first is the place of the record to be taken next. There must be one, as for the
// methods that follow.
func (b *backlog) first() place { return b.runs[0].place }

func (b *backlog) round() uint64 { return b.runs[0].slab.round }

func (b *backlog) head() *record.Record {
	r := &b.runs[0]
	return &r.slab.recs[r.from]
}

// place is that of a record. One whose time is before that of a record which has
// been taken comes after that one.
func (s *slab) place(i int) place {
	r := &s.recs[i]
	return place{max(writtenAt(r), s.floor), r.Offset}
}

// add takes in records in the order of their offsets.
func (b *backlog) add(s *slab) {
	recs := s.recs
	began := 0
	var first, last place
	for i := range recs {
		p := s.place(i)
		switch {
		case i == 0:
			first = p
		case p.before(last):
			b.runs.Push(run{first, s, began, i})
			began, first = i, p
		}
		last = p
		b.bytes += heldSize(&recs[i])
	}
	if len(recs) > 0 {
		b.runs.Push(run{first, s, began, len(recs)})
	}
}

// pop drops the first record, and returns what can be given back then, or nil.
func (b *backlog) pop() (used []record.Record) {
	r := &b.runs[0]
	s := r.slab
	b.bytes -= heldSize(&s.recs[r.from])
	if s.left--; s.left == 0 {
		used = s.all
	}
	if r.from++; r.from == r.behind {
		b.runs.Pop()
		return used
	}
	r.place = s.place(r.from)
	b.runs.Sink()
	return used
}

// earliest is the lowest offset of a record, or none if that is lower.
func (b *backlog) earliest(none int64) int64 {
	for _, r := range b.runs {
		none = min(none, r.offset)
	}
	return none
}

// heldSize is the memory that a record takes while it is held, about: a quarter more
// than its own for the batch it was fetched in.
func heldSize(r *record.Record) int64 { return int64(len(r.Key)+len(r.Value))*5/4 + 112 }

// hold keeps records until their turn, but for those that aren't the user's or were
// processed before. The slice is kept; whole says that nothing else in it is in use.
func (in *input) hold(recs []record.Record, whole bool, round uint64, now int64) {
	if !whole {
		recs = slices.Clone(recs)
	}
	o := in.order
	all := recs
	recs = recs[:0]
	for i := range all {
		r := &all[i]
		if !o.wanted(r, now) {
			continue
		}
		if writtenAt(r) < o.last.at {
			o.late = append(o.late, r.Offset)
		}
		recs = append(recs, *r)
	}
	clear(all[len(recs):])
	if !whole {
		all = nil
	}
	before := o.held.bytes
	o.held.add(&slab{recs: recs, floor: o.last.at, all: all, left: len(recs), round: round})
	o.flow.held.Add(o.held.bytes - before)
	in.count += len(recs)
}
