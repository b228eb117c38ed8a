package share

import (
	"time"
)

// Mode says how the number of records a member asks for is meant.
type Mode int8

// The modes in which records are acquired. The values are Kafka's.
const (
	// WholeBatches goes on to the end of the last batch.
	WholeBatches Mode = 0
	// RecordLimit gives no more records than were asked for.
	RecordLimit Mode = 1
)

// Request is what a member may get.
type Request struct {
	Member    string
	Mode      Mode
	Records   int // how many
	BatchSize int // about how many offsets a Delivery of several batches has at most
	Offset    int64
	// Batches are those that a read from Offset has found, in order.
	Batches []Range
	// Aborted are batches of transactions that were aborted, in order, if the
	// group doesn't want to see them.
	Aborted []Range
}

// Acquire gives records of some batches to a member, until its time is up.
//
// Records that have failed often come a few at a time: half as many of a lot with
// each further attempt, and alone on the last one. A record that breaks its member
// should not wear out its neighbours.
func (p *Partition) Acquire(now time.Time, l Limits, r *Request) ([]Delivery, Change) {
	c := Change{Start: -1}
	if len(r.Batches) == 0 || r.Records <= 0 {
		return nil, c
	}
	p.skip(r.Offset, r.Batches[0].First, &c)
	p.settle(&c)
	a := acquisition{
		Request: r, limits: l, until: now.Add(l.Lock), left: int64(r.Records), changed: &c,
		lo: max(r.Offset, r.Batches[0].First), hi: r.Batches[len(r.Batches)-1].Last,
	}
	room := p.room(l)

	// First what was delivered before and came back, in order; then, if nothing has
	// put an end to it, records that nobody has seen yet.
	old := p.spans
	p.spans = make([]span, 0, len(old)+4)
	for i := range old {
		if i == 0 || old[i].lot != old[i-1].lot || old[i].lot.size == 0 {
			a.enter(old[i:])
		}
		a.offer(p, old[i])
	}
	if a.enter(nil); !a.stop {
		a.fresh(p, room)
	}
	p.settle(&c)
	return a.got, c
}

// skip archives the offsets between a read's offset and what it has found:
// compaction has removed them.
//
// Without that a gap at the start would be read again for ever. Gaps further on go
// to a member with the records around them, and come back as gaps.
func (p *Partition) skip(from, to int64, c *Change) {
	if from >= to {
		return
	}
	list := make([]span, 0, len(p.spans)+2)
	for i := range p.spans {
		s := p.spans[i]
		if s.state != Available || s.last < from || s.first >= to {
			list = push(list, s)
			continue
		}
		if s.first < from {
			list = push(list, s.sub(s.first, from-1))
		}
		gone := s.sub(from, to-1)
		gone.free(Archived)
		c.add(&gone)
		list = push(list, gone)
		if s.last >= to {
			list = push(list, s.sub(to, s.last))
		}
	}
	if p.end < to && from <= p.end {
		gone := span{first: p.end, last: to - 1, state: Archived}
		c.add(&gone)
		list = push(list, gone)
		p.end = to
	}
	p.spans = list
}

// acquisition is one call of Acquire.
type acquisition struct {
	*Request
	limits  Limits
	until   time.Time
	lo, hi  int64 // what may be acquired
	left    int64
	stop    bool
	got     []Delivery
	changed *Change

	// Of the lot at hand: how many were acquired, and how many may be; -1 is any
	// number.
	inLot, most int64
}

// careful is the number of deliveries from which on records are set apart.
//
// It is half of the limit, as in Kafka: until then a failure is taken for
// that of a member, and from then on for that of a record.
func (a *acquisition) careful() int16 { return max(2, (a.limits.Deliveries+1)/2) }

// open says whether something of a span may be acquired.
func (a *acquisition) open(s *span) bool {
	return s.state == Available && s.last >= a.lo && s.first <= a.hi
}

// enter begins a lot, which the list begins with; an empty list is what comes
// after the last. If some of a lot has failed often, nothing else comes with it.
func (a *acquisition) enter(list []span) {
	if a.most >= 0 && a.inLot > 0 {
		a.stop = true
	}
	a.inLot, a.most = 0, -1
	if len(a.got) == 0 {
		return
	}
	for i := range list {
		if i > 0 && (list[i].lot != list[0].lot || list[i].lot.size == 0) {
			return
		}
		if a.open(&list[i]) && list[i].count >= a.careful() {
			a.stop = true
			return
		}
	}
}

// offer takes what it can of a span, and adds the span to the partition's.
func (a *acquisition) offer(p *Partition, s span) {
	if !a.open(&s) || a.stop || a.left <= 0 {
		p.spans = push(p.spans, s)
		return
	}
	first := max(s.first, a.lo)
	if s.first < first {
		p.spans = push(p.spans, s.sub(s.first, first-1))
	}
	n := a.portion(&s, first, min(s.last, a.hi))
	if n > 0 {
		a.take(p, s.sub(first, first+n-1))
		a.inLot += n
	}
	if rest := s.sub(first+n, s.last); rest.first <= rest.last {
		p.spans = push(p.spans, rest)
	}
}

// portion is how many of the records from first to last of a span are delivered
// together. It notes when nothing may come after them.
func (a *acquisition) portion(s *span, first, last int64) int64 {
	end := first + a.left - 1
	// Members get batches as they are in the log, so it is cheaper for them to have
	// a whole one than for somebody else to fetch it again.
	if a.Mode != RecordLimit && end < last {
		end = a.endOfBatch(end, last)
	}
	n := min(end, last) - first + 1
	if s.count >= a.careful() {
		// The last attempt: if it breaks the member, it breaks it alone.
		if s.count >= a.limits.Deliveries-1 && a.limits.Deliveries > 2 {
			a.stop = true
			if a.inLot > 0 {
				return 0
			}
			return 1
		}
		if a.most < 0 {
			size := s.lot.size
			if size == 0 { // after a restart nobody knows what was delivered together
				size = s.size()
			}
			a.most = max(1, size>>(s.count-a.careful()+1))
		}
	}
	if a.most >= 0 && n >= a.most-a.inLot {
		n, a.stop = max(a.most-a.inLot, 0), true
	}
	return n
}

// fresh takes records that were never delivered, as far as there is room. The
// room decides where to begin; the last batch may go beyond it. Without whole
// batches the rest of it is set by for the next who asks.
func (a *acquisition) fresh(p *Partition, room int64) {
	first := max(p.end, a.Batches[0].First)
	n := min(a.left, room)
	if n <= 0 || first > a.hi {
		return
	}
	last := min(first+n-1, a.hi)
	end := a.endOfBatch(last, a.hi)
	p.end = end + 1
	s := span{first: first, last: end, lot: lot{first, end - first + 1}}
	if a.Mode == RecordLimit {
		a.take(p, s.sub(first, last))
		if last < end {
			p.spans = push(p.spans, s.sub(last+1, end))
		}
		return
	}
	// Members acknowledge a lot at once if they can, so it isn't larger than they
	// like, as far as the batches allow.
	for _, b := range a.Batches {
		if b.First > end {
			break
		}
		if a.BatchSize > 0 && b.First-first >= int64(a.BatchSize) {
			s.first, s.last, s.lot = first, b.First-1, lot{first, b.First - first}
			a.take(p, s)
			first = b.First
		}
	}
	s.first, s.last, s.lot = first, end, lot{first, end - first + 1}
	a.take(p, s)
}

// endOfBatch is the end of the batch that an offset is in.
func (a *acquisition) endOfBatch(offset, hi int64) int64 {
	for _, b := range a.Batches {
		if offset <= b.Last {
			return max(offset, min(b.Last, hi))
		}
	}
	return hi
}

// take gives a span to the member, but for what was aborted. That is done with: no
// other member will want to see it.
func (a *acquisition) take(p *Partition, s span) {
	for _, r := range a.Aborted {
		if s.first > s.last || r.First > s.last {
			break
		}
		if r.Last < s.first {
			continue
		}
		if r.First > s.first {
			a.deliver(p, s.sub(s.first, r.First-1))
		}
		gone := s.sub(r.First, r.Last)
		gone.free(Archived)
		a.changed.add(&gone)
		p.spans = push(p.spans, gone)
		s.first = gone.last + 1
	}
	if s.first <= s.last {
		a.deliver(p, s)
	}
}

func (a *acquisition) deliver(p *Partition, s span) {
	s.state, s.owner, s.until = Acquired, a.Member, a.until
	s.count++
	a.left -= s.size()
	p.spans = push(p.spans, s)
	a.got = append(a.got, Delivery{Range{s.first, s.last}, s.count})
}
