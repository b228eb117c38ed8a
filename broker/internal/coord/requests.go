package coord

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/consumer"
	"github.com/leatstream/leat/broker/internal/group"
)

// Answer is the answer to a request of a group's member.
type Answer = Future[kmsg.Response]

// Join passes a JoinGroup request to its group, making the group if the member
// is new.
func (c *Groups) Join(r *kmsg.JoinGroupRequest, from group.Client) (*Answer, error) {
	return c.member(r.Group, r, func(s *shard, now time.Time, g *group.Group, call group.Call) group.Effects {
		m := g.Membership()
		if m == nil {
			return g.Join(now, call, r, from)
		}
		if consumers, ok := m.(*consumer.Group); ok && m.Members() > 0 {
			return consumers.Join(s.envOf(g), call, r, from)
		}
		if m.Members() > 0 || m.Kind() == group.Share {
			return group.Effects{Replies: []group.Reply{{Call: call, Body: group.Mismatch(r)}}}
		}
		// Nobody is left of the other kind of group.
		leftovers := g.Leftovers()
		g.Become(nil, now)
		e := g.Join(now, call, r, from)
		e.Records = slices.Concat(leftovers, e.Records)
		return e
	})
}

// Sync passes a SyncGroup request to its group.
func (c *Groups) Sync(r *kmsg.SyncGroupRequest) (*Answer, error) {
	return c.member(r.Group, r, func(s *shard, now time.Time, g *group.Group, call group.Call) group.Effects {
		if m, ok := g.Membership().(*consumer.Group); ok {
			return m.Sync(s.envOf(g), call, r)
		}
		return g.Sync(now, call, r)
	})
}

// Heartbeat passes a Heartbeat request to its group.
func (c *Groups) Heartbeat(r *kmsg.HeartbeatRequest) (*Answer, error) {
	return c.member(r.Group, r, func(s *shard, now time.Time, g *group.Group, call group.Call) group.Effects {
		if m, ok := g.Membership().(*consumer.Group); ok {
			return m.Beat(s.envOf(g), call, r)
		}
		return g.Heartbeat(now, call, r)
	})
}

// Leave passes a LeaveGroup request to its group.
func (c *Groups) Leave(r *kmsg.LeaveGroupRequest) (*Answer, error) {
	return c.member(r.Group, r, func(s *shard, now time.Time, g *group.Group, call group.Call) group.Effects {
		if m, ok := g.Membership().(*consumer.Group); ok {
			return m.Leave(s.envOf(g), call, r)
		}
		return g.Leave(now, call, r)
	})
}

// member runs a step of a group for a request whose answer may come later. A
// group that doesn't exist takes the step as an empty one, and is forgotten
// again if the step leaves it so.
func (c *Groups) member(id string, r kmsg.Request, step func(*shard, time.Time, *group.Group, group.Call) group.Effects) (*Answer, error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Answer) {
		now := s.opt.Clock.Now()
		s.last++
		s.calls[s.last] = out
		g := s.group(id, now)
		s.carryOut(now, g, step(s, now, g, s.last))
	}), nil
}

// Committed is the answer to a commit: an error code for all of it, or one for
// each offset.
type Committed struct {
	Code  int16
	Codes []int16
}

// Commit stores offsets of a group.
func (c *Groups) Commit(id string, by group.Committer, commits []group.Commit) (*Future[Committed], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[Committed]) {
		now := s.opt.Clock.Now()
		out.resolve(&s.journal, s.commit(now, id, by, commits, nil))
	}), nil
}

// commit stores offsets, in a transaction if one is given.
func (s *shard) commit(now time.Time, id string, by group.Committer, commits []group.Commit, tx *TxnCommit) Committed {
	if s.groups[id] == nil && by.Generation >= 0 {
		if by.KnowsEpochs {
			return Committed{Code: kerr.GroupIDNotFound.Code}
		}
		return Committed{Code: kerr.IllegalGeneration.Code}
	}
	g := s.group(id, now)
	defer s.settle(g)
	if code := g.CheckCommit(s.envOf(g), by, commits); code != 0 {
		return Committed{Code: code}
	}
	records, codes := g.CommitRecords(commits)
	h, guard, at := tx.header()
	base, err := store(&s.journal, now, h, guard, records)
	if err != nil {
		return Committed{Code: s.storeCode(id, err)}
	}
	at.Offset = base
	g.Store(commits, codes, at)
	s.opened(at.Producer, id)
	return Committed{Codes: codes}
}

// Done is the answer to a step that has none.
type Done = Future[struct{}]

// Inspect answers with what f makes of a group, nil if there is none. f must
// neither change nor keep it, nor write elsewhere than into its result: who asked
// may be gone by then.
func (c *Groups) Inspect[T any](id string, f func(*group.Group) T) (*Future[T], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[T]) { out.resolve(&s.journal, f(s.groups[id])) }), nil
}

// Each calls f with every group, one after the other within each of the
// returned answers.
func (c *Groups) Each(f func(*group.Group)) []*Done {
	var all []*Done
	for _, s := range c.all() {
		all = append(all, run(s, func(out *Done) {
			for _, g := range s.groups {
				f(g)
			}
			out.resolve(&s.journal, struct{}{})
		}))
	}
	return all
}

// Delete deletes a group; the answer is an error code.
func (c *Groups) Delete(id string) (*Future[int16], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[int16]) { out.resolve(&s.journal, s.delete(s.opt.Clock.Now(), id)) }), nil
}

func (s *shard) delete(now time.Time, id string) int16 {
	g := s.groups[id]
	if g == nil {
		return kerr.GroupIDNotFound.Code
	}
	if code := g.CheckDelete(); code != 0 {
		return code
	}
	if err := s.append(now, g.Tombstones()); err != nil {
		s.opt.Log.Error("a group could not be deleted", "group", id, "err", err)
		return notStored
	}
	g.Kill(now)
	s.settle(g)
	return 0
}

// DeleteOffsets deletes offsets of a group, except of topics that members
// consume. The codes are those of the partitions in their order.
func (c *Groups) DeleteOffsets(id string, ps []group.Partition) (*Future[Committed], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[Committed]) { out.resolve(&s.journal, s.deleteOffsets(s.opt.Clock.Now(), id, ps)) }), nil
}

func (s *shard) deleteOffsets(now time.Time, id string, ps []group.Partition) Committed {
	g := s.groups[id]
	if g == nil {
		return Committed{Code: kerr.GroupIDNotFound.Code}
	}
	if code := g.CheckDeleteOffsets(); code != 0 {
		return Committed{Code: code}
	}
	codes := make([]int16, len(ps))
	var free []group.Partition
	for i, p := range ps {
		if g.Subscribed(p.Topic) {
			codes[i] = kerr.GroupSubscribedToTopic.Code
			continue
		}
		free = append(free, p)
	}
	if !s.forget(now, g, free) {
		return Committed{Code: notStored}
	}
	return Committed{Codes: codes}
}

// forget removes offsets, and the group with them if nothing else is left. It
// reports whether that could be stored.
func (s *shard) forget(now time.Time, g *group.Group, ps []group.Partition) bool {
	if err := s.append(now, g.DeleteOffsets(ps)); err != nil {
		s.opt.Log.Error("offsets could not be deleted", "group", g.ID(), "err", err)
		return false
	}
	g.Forget(ps)
	s.settle(g)
	return true
}

// DropTopic forgets the offsets of a deleted topic in all groups.
func (c *Groups) DropTopic(name string) []*Done {
	return c.sweep(func(s *shard, now time.Time) {
		for _, g := range s.groups {
			var ps []group.Partition
			for _, p := range g.Mentioned() {
				if p.Topic == name {
					ps = append(ps, p)
				}
			}
			if !s.shed(now, g, ps) {
				return
			}
		}
	})
}

// Expire forgets the offsets that nobody has needed for the retention time, and
// the groups that have become empty of them. A group that is empty without that
// goes if it was so the last time, too: somebody may just be looking at it, or
// about to come back.
func (c *Groups) Expire() []*Done {
	return c.sweep(func(s *shard, now time.Time) {
		idle := map[string]bool{}
		for id, g := range s.groups {
			if !s.shed(now, g, g.Expired(now)) {
				return
			}
			switch {
			case s.groups[id] == nil || !g.Idle():
			case s.idle[id]:
				s.delete(now, id)
			default:
				idle[id] = true
			}
		}
		s.idle = idle
	})
}

// shed removes offsets from a group, and the group if it has neither members nor
// offsets after that. It reports whether that could be stored.
func (s *shard) shed(now time.Time, g *group.Group, ps []group.Partition) bool {
	if len(ps) == 0 {
		return true
	}
	if !s.forget(now, g, ps) {
		return false
	}
	if g.Idle() {
		s.delete(now, g.ID())
	}
	return true
}

// sweep lets each shard look at all its groups.
func (c *Groups) sweep(do func(*shard, time.Time)) []*Done {
	var all []*Done
	for _, s := range c.all() {
		all = append(all, run(s, func(out *Done) {
			do(s, s.opt.Clock.Now())
			out.resolve(&s.journal, struct{}{})
		}))
	}
	return all
}
