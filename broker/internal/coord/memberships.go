package coord

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
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

// StreamsHeartbeat passes a StreamsGroupHeartbeat request to its group, making the
// group if the member joins.
func (c *Groups) StreamsHeartbeat(h *streams.Heartbeat) (*Answer, error) {
	return c.heartbeat(h.Group, group.Streams, h.Joins(), func(env group.Env, m group.Membership, call group.Call) group.Effects {
		g, ok := m.(*streams.Group)
		if !ok {
			return streams.Refused(call, h, streams.NotFound(env, h))
		}
		return g.Heartbeat(env, call, h)
	})
}

// MissingTopics lists the internal topics that a streams group waits for.
func (c *Groups) MissingTopics(id string) (*Future[[]streams.NewTopic], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Future[[]streams.NewTopic]) {
		var missing []streams.NewTopic
		if g := s.groups[id]; g != nil {
			if m, ok := g.Membership().(*streams.Group); ok {
				missing = m.Missing(c.Topics())
			}
		}
		out.resolve(&s.journal, missing)
	}), nil
}

// DescribeStreams fills what StreamsGroupDescribe tells of a group, and topics with
// those that its topology needs.
func (c *Groups) DescribeStreams(id string, d *kmsg.StreamsGroupDescribeResponseGroup, topics *[]string) (*Future[Described], error) {
	return c.describe(id, func(g *group.Group) bool {
		m, ok := g.Membership().(*streams.Group)
		if ok {
			m.Describe(d)
			*topics = m.Topics()
		}
		return ok
	})
}

// heartbeat runs a step of a group's membership of a kind, for a request whose
// answer may come later. A member that joins makes the group, and turns a vacant
// classic one into one of the kind. If the group is of another kind all the same,
// the step gets what it has, or nil.
func (c *Groups) heartbeat(id string, k group.Kind, joins bool, step func(group.Env, group.Membership, group.Call) group.Effects) (*Answer, error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Answer) {
		env := s.env(id, k)
		s.last++
		s.calls[s.last] = out
		g := s.group(id, env.Now)
		m := g.Membership()
		if m != nil || !joins || !g.Vacant() {
			s.carryOut(env.Now, g, step(env, m, s.last))
			return
		}
		m = newMembership(k, id)
		e := step(env, m, s.last)
		if len(e.Records) > 0 {
			e.Records = slices.Concat(g.Leftovers(), e.Records)
			e.Become = m
		}
		s.carryOut(env.Now, g, e)
	}), nil
}

// env is what a step of a group of the kind may look at.
func (s *shard) env(id string, k group.Kind) group.Env {
	view := s.opt.Catalog.Settings()
	return group.Env{
		Known: s.groups[id] != nil,
		Now:   s.opt.Clock.Now(), Topics: topicsOf(s.opt.Catalog.Image()), Settings: s.opt.Catalog.GroupConfig(id),
		MaxMembers: min(s.opt.Group.MaxMembers, int(view.Int("group."+k.String()+".max.size"))), NewID: s.opt.Group.NewID,
		Migration: group.MigrationOf(view.Text("group.consumer.migration.policy")),
	}
}

// envOf is env for the group as it is.
func (s *shard) envOf(g *group.Group) group.Env {
	if g.Kind() == group.Classic {
		return group.Env{Now: s.opt.Clock.Now()} // it looks at nothing else
	}
	return s.env(g.ID(), g.Kind())
}

// apply makes the records of a step true.
func (s *shard) apply(now time.Time, g *group.Group, e group.Effects) {
	if e.Become != nil {
		g.Become(e.Become, now)
	}
	if !e.Deferred {
		return
	}
	if e.Rebalance {
		defer g.Rebalance(now)
	}
	for _, r := range e.Records {
		if err := g.Restore(now, r, group.Place{Producer: group.NoTxn}); err != nil {
			s.opt.Log.Error("a record of a group's own can't be applied", "group", g.ID(), "err", err)
		}
	}
}

// topics is an image as groups see it.
type topics struct{ img *catalog.Image }

func topicsOf(img *catalog.Image) topics { return topics{img} }

// Topics are the topics there are, as groups see them.
func (c *Groups) Topics() group.Topics { return topicsOf(c.opt.Catalog.Image()) }

// Topic finds a topic by name.
func (t topics) Topic(name string) (group.Topic, bool) { return topicOf(t.img.Topic(name)) }

// TopicByID finds a topic by id.
func (t topics) TopicByID(id [16]byte) (group.Topic, bool) { return topicOf(t.img.TopicByID(id)) }

func topicOf(t *catalog.Topic) (group.Topic, bool) {
	if t == nil {
		return group.Topic{}, false
	}
	return group.Topic{Name: t.Name, ID: t.ID, Partitions: int32(len(t.Logs))}, true
}

// Names lists all topics, the internal ones too: as in Kafka, a regular
// expression that matches their names stands for them.
func (t topics) Names() []string {
	var names []string
	for _, topic := range t.img.Topics() {
		names = append(names, topic.Name)
	}
	return names
}
