package coord

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/consumer"
	"github.com/leatstream/leat/broker/internal/group"
)

// ConsumerHeartbeat passes a ConsumerGroupHeartbeat request to its group. A member
// that joins makes the group, or turns one of another kind into a consumer group:
// a classic one that is vacant or of consumers.
func (c *Groups) ConsumerHeartbeat(h *consumer.Heartbeat) (*Answer, error) {
	s, err := c.of(h.Group)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Answer) {
		env := s.env(h.Group, group.Consumer)
		s.last++
		s.calls[s.last] = out
		g := s.group(h.Group, env.Now)
		s.carryOut(env.Now, g, consumerStep(env, g, s.last, h))
	}), nil
}

func consumerStep(env group.Env, g *group.Group, call group.Call, h *consumer.Heartbeat) group.Effects {
	m, ok := g.Membership().(*consumer.Group)
	switch {
	case ok:
		return m.Heartbeat(env, call, h)
	case !h.Joins() || g.Membership() != nil:
		return consumer.Refused(call, h, consumer.NotFound(env, h))
	}
	records := g.Leftovers()
	if m = consumer.New(h.Group); !g.Vacant() {
		upgraded, made, err := consumer.Upgrade(env, g)
		if err != nil {
			return consumer.Refused(call, h, err)
		}
		m, records = upgraded, append(records, made...)
	}
	e := m.Heartbeat(env, call, h)
	if len(e.Records) > 0 {
		e.Records, e.Become = slices.Concat(records, e.Records), m
		e.Replies = append(g.Disturb(), e.Replies...)
	}
	return e
}

// DescribeConsumer fills what ConsumerGroupDescribe tells of a group.
func (c *Groups) DescribeConsumer(id string, d *kmsg.ConsumerGroupDescribeResponseGroup) (*Future[Described], error) {
	return c.describe(id, func(g *group.Group) bool {
		m, ok := g.Membership().(*consumer.Group)
		if ok {
			m.Describe(c.Topics(), d)
		}
		return ok
	})
}

// Described is what became of a description.
type Described uint8

// The results of a description: there is no such group, or one of another kind, or
// it is described.
const (
	NoGroup Described = iota
	OtherKind
	Complete
)

// describe lets f describe a group, which reports false for one of another kind.
func (c *Groups) describe(id string, f func(*group.Group) bool) (*Future[Described], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[Described]) {
		d := NoGroup
		if g := s.groups[id]; g != nil {
			if d = OtherKind; f(g) {
				d = Complete
			}
		}
		out.resolve(&s.journal, d)
	}), nil
}
