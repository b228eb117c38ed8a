package coord

import (
	"maps"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/consumer"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/sharegroup"
	"github.com/leatstream/leat/broker/internal/streams"
)

// newMembership makes a membership of a kind, nil for classic groups and those
// that this broker doesn't know.
func newMembership(k group.Kind, id string) group.Membership {
	switch k {
	case group.Consumer:
		return consumer.New(id)
	case group.Streams:
		return streams.New(id)
	case group.Share:
		return sharegroup.New(id)
	}
	return nil
}

// ConsumerHeartbeat passes a ConsumerGroupHeartbeat request to its group. A classic
// group of consumers may become one for it that has members.
func (c *Groups) ConsumerHeartbeat(h *consumer.Heartbeat) (*Answer, error) {
	return heartbeat(c, h, (*consumer.Group).Heartbeat)
}

// StreamsHeartbeat passes a StreamsGroupHeartbeat request to its group.
func (c *Groups) StreamsHeartbeat(h *streams.Heartbeat) (*Answer, error) {
	return heartbeat(c, h, (*streams.Group).Heartbeat)
}

// ShareHeartbeat passes a ShareGroupHeartbeat request to its group.
func (c *Groups) ShareHeartbeat(h *sharegroup.Heartbeat) (*Answer, error) {
	return heartbeat(c, h, (*sharegroup.Group).Heartbeat)
}

// Description is what a describing API tells of a group, and the topics that are
// mentioned in it.
type Description[D any] struct {
	Group  D
	Topics []string
}

// DescribeConsumer answers with what ConsumerGroupDescribe tells of a group.
func (c *Groups) DescribeConsumer(id string) (*Future[View[Description[kmsg.ConsumerGroupDescribeResponseGroup]]], error) {
	return look(c, id, func(g *consumer.Group) (d Description[kmsg.ConsumerGroupDescribeResponseGroup]) {
		d.Group, d.Topics = g.Describe(c.Topics())
		return d
	})
}

// DescribeStreams answers with what StreamsGroupDescribe tells of a group.
func (c *Groups) DescribeStreams(id string) (*Future[View[Description[kmsg.StreamsGroupDescribeResponseGroup]]], error) {
	return look(c, id, func(g *streams.Group) (d Description[kmsg.StreamsGroupDescribeResponseGroup]) {
		d.Group, d.Topics = g.Describe()
		return d
	})
}

// DescribeShare answers with what ShareGroupDescribe tells of a group.
func (c *Groups) DescribeShare(id string) (*Future[View[Description[kmsg.ShareGroupDescribeResponseGroup]]], error) {
	return look(c, id, func(g *sharegroup.Group) (d Description[kmsg.ShareGroupDescribeResponseGroup]) {
		d.Group, d.Topics = g.Describe(c.Topics())
		return d
	})
}

// MissingTopics answers with the internal topics that a streams group waits for.
func (c *Groups) MissingTopics(id string) (*Future[View[[]streams.NewTopic]], error) {
	return look(c, id, func(g *streams.Group) []streams.NewTopic { return g.Missing(c.Topics()) })
}

// Shared answers with the partitions of which a share group has a state.
func (c *Groups) Shared(id string) (*Future[View[assignor.Assignment]], error) {
	return look(c, id, func(g *sharegroup.Group) assignor.Assignment { return maps.Clone(g.Shared()) })
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
