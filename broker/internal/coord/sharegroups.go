package coord

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/sharegroup"
)

// ShareHeartbeat passes a ShareGroupHeartbeat request to its group, making the
// group if the member joins.
func (c *Groups) ShareHeartbeat(h *sharegroup.Heartbeat) (*Answer, error) {
	return c.heartbeat(h.GroupID, group.Share, h.Joins(), func(env group.Env, m group.Membership, call group.Call) group.Effects {
		g, ok := m.(*sharegroup.Group)
		if !ok {
			return sharegroup.Refused(call, h, sharegroup.NotFound(h))
		}
		return g.Heartbeat(env, call, h)
	})
}

// inspectShare lets f look at a share group; it gets nil if there is none.
func (c *Groups) inspectShare(id string, f func(*sharegroup.Group)) (*Future[struct{}], error) {
	return c.Inspect(id, func(g *group.Group) {
		if g == nil {
			f(nil)
			return
		}
		m, _ := g.Membership().(*sharegroup.Group)
		f(m)
	})
}

// DescribeShare fills what ShareGroupDescribe tells of a group. found is set
// before the future is done: whether it is such a group.
func (c *Groups) DescribeShare(id string, d *kmsg.ShareGroupDescribeResponseGroup, found *bool) (*Future[struct{}], error) {
	return c.inspectShare(id, func(g *sharegroup.Group) {
		if *found = g != nil; *found {
			g.Describe(c.Topics(), d)
		}
	})
}

// Shared is the partitions of which a share group has a state; nil if there is no
// such group. It is set before the future is done.
func (c *Groups) Shared(id string, into *assignor.Assignment) (*Future[struct{}], error) {
	return c.inspectShare(id, func(g *sharegroup.Group) {
		if g != nil {
			*into = maps.Clone(g.Shared())
		}
	})
}

// Absent says what happens to a group that isn't there.
type Absent bool

// What may happen to a group that isn't there.
const (
	NotFound Absent = false
	Created  Absent = true
)

// ReshapeShare lets an admin change the partitions of which a share group has a
// state. The answer is 0 or the error code.
func (c *Groups) ReshapeShare(id string, absent Absent, change sharegroup.Change) (*Future[int16], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[int16]) { out.resolve(&s.journal, s.reshapeShare(id, absent, change)) }), nil
}

func (s *shard) reshapeShare(id string, absent Absent, change sharegroup.Change) int16 {
	g, created := s.groups[id], false
	var m *sharegroup.Group
	switch {
	case g == nil && absent == NotFound:
		return kerr.GroupIDNotFound.Code
	case g == nil:
		g, m, created = s.group(id, s.opt.Clock.Now()), sharegroup.New(id), true
	default:
		var ok bool
		if m, ok = g.Membership().(*sharegroup.Group); !ok {
			return kerr.GroupIDNotFound.Code
		}
	}
	env := s.env(id, group.Share)
	e, code := m.Reshape(env, change)
	if created && len(e.Records) > 0 {
		e.Become = m
	}
	if code == 0 && s.append(env.Now, e.Records) != nil {
		code = notStored
	}
	if code == 0 {
		s.apply(env.Now, g, e)
	}
	s.settle(g)
	return code
}
