package consumer

import (
	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/membership"
)

// goal is what a member is to be brought to.
type goal struct {
	epoch  int32 // of the target
	target assignor.Assignment
	// subscribed is what the member wants now, which the target may not know yet.
	subscribed map[assignor.ID]bool
	// shrunk says that the member has just changed its mind on that.
	shrunk bool
	// reported is what the member says it has; nil if it says nothing.
	reported assignor.Assignment
	// taken says whether a partition is in some member's hands.
	taken func(assignor.ID, int32) bool
}

// reconcile brings a member as near to its goal as the others and it let it. It
// returns the member if there is nothing to do, and else a changed copy.
func reconcile(m *member, g goal) *member {
	switch {
	case m.Phase == membership.Stable && m.Epoch != g.epoch, m.Phase == membership.Releasing:
		return g.next(m)
	case m.Phase == membership.Revoking && !g.holds(m.pending):
		return g.next(m)
	case g.shrunk && m.Phase != membership.Releasing:
		return g.shrink(m)
	}
	return m
}

// holds says whether the member still has, or may have, something of o. Who says
// nothing may still be working on it.
func (g goal) holds(o owned) bool {
	if g.reported == nil {
		return true
	}
	for id, ps := range g.reported {
		for _, p := range ps {
			if o.has(id, p) {
				return true
			}
		}
	}
	return false
}

// next compares what the member has with the target: first it gives back what it
// shouldn't have, then it gets what nobody else has.
func (g goal) next(m *member) *member {
	kept, back := owned{}, owned{}
	for id, ps := range m.assigned {
		for p, epoch := range ps {
			if g.wants(id, p) {
				kept.add(id, p, epoch)
			} else {
				back.add(id, p, epoch)
			}
		}
	}
	c := m.clone()
	if len(back) > 0 && g.holds(back) {
		// Its epoch stays: it isn't at the target before it has said that it is done.
		c.Phase, c.assigned, c.pending = membership.Revoking, kept, back
		c.Advance(m.Epoch)
		return c
	}
	c.Phase, c.assigned, c.pending = membership.Stable, kept, nil
	for id, ps := range g.target {
		for _, p := range ps {
			switch {
			case kept.has(id, p) || !g.wants(id, p): // or it unsubscribed since the target
			case g.taken(id, p) && !m.pending.has(id, p) && !m.assigned.has(id, p):
				c.Phase = membership.Releasing
			default:
				kept.add(id, p, g.epoch)
			}
		}
	}
	c.Advance(g.epoch)
	return c
}

// wants says whether the member should have a partition.
func (g goal) wants(id assignor.ID, p int32) bool { return g.subscribed[id] && g.target.Has(id, p) }

// shrink takes from a member the topics that it doesn't want any more, without
// waiting for a new target.
func (g goal) shrink(m *member) *member {
	kept, back := owned{}, owned{}
	for id, ps := range m.pending {
		back[id] = ps
	}
	// A target may be a while in coming (the interval between assignments); meanwhile
	// nobody would read what the member has stopped to.
	shrunk := false
	for id, ps := range m.assigned {
		if g.subscribed[id] {
			kept[id] = ps
			continue
		}
		shrunk = true
		all := map[int32]int32{}
		for _, from := range []map[int32]int32{back[id], ps} {
			for p, epoch := range from {
				all[p] = epoch
			}
		}
		back[id] = all
	}
	if !shrunk {
		return m
	}
	c := m.clone()
	c.assigned = kept
	if g.holds(back) {
		c.Phase, c.pending = membership.Revoking, back
	}
	c.Advance(m.Epoch)
	return c
}
