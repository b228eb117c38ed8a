package share

import (
	"slices"
	"sort"
	"time"
)

// Partition is one share partition. Its zero value begins at offset 0; see
// [New]. It is not safe for concurrent use.
//
// All offsets from start to end (exclusive) are in spans, in order and without
// gaps. What is before start is done; what comes from end on was never
// delivered. The first span is not done, or the start would be behind it.
//
// Members mostly acknowledge what they got in the order they got it, so that there
// are few spans; in the worst case, a member that says something else of every
// other record, there are as many as the limits allow records. Steps walk over all
// of them: that is cheaper than a tree would be with a handful.
type Partition struct {
	start, end int64
	spans      []span
}

// span is offsets in a row with the same state.
type span struct {
	first, last int64
	state       State
	count       int16     // deliveries
	owner       string    // the member that has them, if they are acquired
	until       time.Time // and for how long
	lot         lot
}

// lot is the offsets that were acquired together for the first time. Those of them
// that fail are set apart from the others step by step, see [Partition.Acquire]. The
// zero lot is that of offsets read from records, which don't tell of lots.
type lot struct {
	first, size int64
}

func (s *span) batch() Batch {
	return Batch{Range: Range{s.first, s.last}, State: s.state, Deliveries: s.count}
}

func (s *span) size() int64 { return s.last - s.first + 1 }

// sub is the part of a span from lo to hi, inclusive.
func (s *span) sub(lo, hi int64) span {
	c := *s
	c.first, c.last = max(s.first, lo), min(s.last, hi)
	return c
}

// free takes a span from its member.
func (s *span) free(to State) { s.state, s.owner, s.until = to, "", time.Time{} }

// New is a partition of which nothing was delivered yet, from start on.
func New(start int64) *Partition { return &Partition{start: start, end: start} }

// Clone returns a copy that shares nothing with p.
func (p *Partition) Clone() *Partition {
	c := *p
	c.spans = slices.Clone(p.spans)
	return &c
}

// Start is the first offset that isn't done.
func (p *Partition) Start() int64 { return p.start }

// End is the first offset that was never delivered.
func (p *Partition) End() int64 { return p.end }

// Done is how many offsets from Start on are done.
func (p *Partition) Done() (n int64) {
	for i := range p.spans {
		if p.spans[i].state.final() {
			n += p.spans[i].size()
		}
	}
	return n
}

// Next is the offset at which a read finds what may be delivered. ok is false if
// nothing may be now, because members have all that the limits allow.
func (p *Partition) Next(l Limits) (offset int64, ok bool) {
	for i := range p.spans {
		if p.spans[i].state == Available {
			return p.spans[i].first, true
		}
	}
	return p.end, p.room(l) > 0
}

// room is how many new records may be delivered.
func (p *Partition) room(l Limits) int64 { return int64(l.Records) - (p.end - p.start) }

// Acquired is how many records are with members.
func (p *Partition) Acquired() (n int64) {
	for i := range p.spans {
		if p.spans[i].state == Acquired {
			n += p.spans[i].size()
		}
	}
	return n
}

// NextDeadline is when a member's time with some records ends; zero is never.
func (p *Partition) NextDeadline() (at time.Time) {
	for i := range p.spans {
		if s := &p.spans[i]; s.state == Acquired && (at.IsZero() || s.until.Before(at)) {
			at = s.until
		}
	}
	return at
}

// at is the index of the span that has an offset of [start, end).
func (p *Partition) at(offset int64) int {
	return sort.Search(len(p.spans), func(i int) bool { return p.spans[i].last >= offset })
}

// push adds a span to the end of a list, joining it with the one before if
// they are alike.
func push(list []span, s span) []span {
	if n := len(list); n > 0 {
		l := &list[n-1]
		if l.last+1 == s.first && l.state == s.state && l.count == s.count && l.owner == s.owner && l.until.Equal(s.until) && l.lot == s.lot {
			l.last = s.last
			return list
		}
	}
	return append(list, s)
}

// settle drops what is done at the front, and notes in c that the start has
// moved.
//
// It ends every step: a change that is stored is complete, and the start in it is
// the one after it.
func (p *Partition) settle(c *Change) {
	n := 0
	for n < len(p.spans) && p.spans[n].state.final() {
		n++
	}
	p.spans = slices.Delete(p.spans, 0, n)
	start := p.end
	if len(p.spans) > 0 {
		start = p.spans[0].first
	}
	if start != p.start {
		p.start, c.Start = start, start
	}
	// What is before the start needs no state.
	c.Batches = slices.DeleteFunc(c.Batches, func(b Batch) bool { return b.Last < p.start })
	if len(c.Batches) > 0 {
		c.Batches[0].First = max(c.Batches[0].First, p.start)
	}
}

// Advance lets the partition begin at the start of its log, if that is later:
// there is nothing before it that could be delivered. Members may have some of it;
// what they say of it is ignored from then on.
func (p *Partition) Advance(logStart int64) Change {
	c := Change{Start: -1}
	if logStart <= p.start {
		return c
	}
	for len(p.spans) > 0 && p.spans[0].first < logStart {
		if p.spans[0].last >= logStart {
			p.spans[0].first = logStart
			break
		}
		p.spans = slices.Delete(p.spans, 0, 1)
	}
	p.start, p.end = logStart, max(p.end, logStart)
	c.Start = logStart
	p.settle(&c)
	return c
}

// Expire takes back what members have kept for too long. It may be delivered
// again, unless it has been delivered too often.
func (p *Partition) Expire(now time.Time, l Limits) Change {
	return p.takeBack(l, func(s *span) bool { return !s.until.After(now) })
}

// ReleaseAll takes back what a member has, in the same way. That it was delivered
// counts: it may be what has ended the member.
func (p *Partition) ReleaseAll(member string, l Limits) Change {
	return p.takeBack(l, func(s *span) bool { return s.owner == member })
}

// again is what becomes of a record that was delivered count times and not
// processed.
func again(count int16, l Limits) State {
	if count >= l.Deliveries {
		return Archived
	}
	return Available
}

// takeBack takes back those spans that are with a member and that which accepts.
func (p *Partition) takeBack(l Limits, which func(*span) bool) Change {
	c := Change{Start: -1}
	list := p.spans[:0]
	for _, s := range p.spans {
		if s.state == Acquired && which(&s) {
			s.free(again(s.count, l))
			c.add(&s)
		}
		list = push(list, s)
	}
	p.spans = list
	p.settle(&c)
	return c
}

// Cut forgets everything from the end of the log on: the log has lost it, and
// will give the offsets to other records. It reports whether there was anything;
// then all of the partition has to be stored anew.
func (p *Partition) Cut(logEnd int64) bool {
	if p.end <= logEnd {
		return false
	}
	for n := len(p.spans); n > 0 && p.spans[n-1].last >= logEnd; n = len(p.spans) {
		if s := &p.spans[n-1]; s.first < logEnd {
			s.last = logEnd - 1
			break
		}
		p.spans = p.spans[:n-1]
	}
	p.end, p.start = logEnd, min(p.start, logEnd)
	p.settle(&Change{Start: -1})
	return true
}
