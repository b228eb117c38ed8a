package share

import (
	"errors"
	"time"
)

// The errors of an acknowledgement, which then has no effect at all.
var (
	// ErrState is for records that the member doesn't have, or not any more.
	ErrState = errors.New("the records are not acquired by the member")
	// ErrRange is for offsets that were never delivered.
	ErrRange = errors.New("the offsets are past the acquired records")
	// ErrRenewal is for a renewal in a group that has none.
	ErrRenewal = errors.New("renewing acquisition locks is not enabled for the group")
	// ErrType is for types of acknowledgements that there are not.
	ErrType = errors.New("unknown type of acknowledgement")
)

// verdict is a type for offsets in a row.
type verdict struct {
	Range
	kind Type
}

// Acknowledge takes what a member says of records it has. What is said of
// records before the start is ignored: they are gone.
//
// It is all or nothing: a member that is wrong about one record may be wrong about
// others. A member whose time was up is told so, and knows that somebody else may
// work on the same record.
func (p *Partition) Acknowledge(now time.Time, l Limits, member string, acks []Acknowledgement) (Change, error) {
	c := Change{Start: -1}
	verdicts, err := p.verdicts(acks)
	if err != nil || len(verdicts) == 0 {
		return c, err
	}
	// Both lists are in order, so they are walked side by side. What is refused is
	// refused as a whole, as Kafka does: the spans are replaced only at the end.
	list := make([]span, 0, len(p.spans)+len(verdicts))
	for i := range p.spans {
		s := p.spans[i]
		for len(verdicts) > 0 && verdicts[0].First <= s.last {
			v := verdicts[0]
			if s.state != Acquired || s.owner != member {
				return Change{Start: -1}, ErrState
			}
			if v.kind == Renew && !l.Renewal {
				return Change{Start: -1}, ErrRenewal
			}
			if s.first < v.First {
				list = push(list, s.sub(s.first, v.First-1))
			}
			done := s.sub(v.First, v.Last)
			if decide(&done, v.kind, now, l) {
				c.add(&done)
			}
			list = push(list, done)
			s.first = done.last + 1
			if v.Last > done.last { // the verdict goes on in the next span
				verdicts[0].First = s.first
				break
			}
			verdicts = verdicts[1:]
		}
		if s.first <= s.last {
			list = push(list, s)
		}
	}
	p.spans = list
	p.settle(&c)
	return c, nil
}

// decide does what an acknowledgement asks for. It reports whether that has to
// be stored.
func decide(s *span, kind Type, now time.Time, l Limits) bool {
	switch kind {
	case Accept:
		s.free(Acknowledged)
	case Release:
		s.free(again(s.count, l))
	case Renew: // KIP-1222; locks are not stored
		s.until = now.Add(l.Lock)
		return false
	default: // Gap (there was no such record, after compaction) and Reject
		s.free(Archived)
	}
	return true
}

// verdicts checks acknowledgements, and cuts them into runs of one type, without
// what is before the start.
func (p *Partition) verdicts(acks []Acknowledgement) ([]verdict, error) {
	var list []verdict
	for _, a := range acks {
		for _, t := range a.Types {
			if t < Gap || t > Renew {
				return nil, ErrType
			}
		}
		if len(a.Types) == 0 {
			return nil, ErrType
		}
		if a.Last < p.start { // retention was faster than the member
			continue
		}
		switch {
		case len(p.spans) == 0:
			return nil, ErrState
		case a.First > a.Last || a.Last >= p.end:
			return nil, ErrRange
		case len(list) > 0 && a.First <= list[len(list)-1].Last:
			return nil, ErrState // said twice
		}
		list = p.cut(list, a)
	}
	return list, nil
}

// cut adds the runs of an acknowledgement to a list.
func (p *Partition) cut(list []verdict, a Acknowledgement) []verdict {
	first := max(a.First, p.start)
	if len(a.Types) == 1 {
		return append(list, verdict{Range{first, a.Last}, a.Types[0]})
	}
	runs := len(list)
	for o := first; o <= a.Last; o++ {
		i := o - a.First
		if i >= int64(len(a.Types)) {
			i = int64(len(a.Types)) - 1 // who checks requests doesn't let these through
		}
		if n := len(list); n > runs && list[n-1].kind == a.Types[i] {
			list[n-1].Last = o
			continue
		}
		list = append(list, verdict{Range{o, o}, a.Types[i]})
	}
	return list
}
