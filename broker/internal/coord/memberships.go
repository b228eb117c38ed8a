package coord

import (
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/consumer"
	"github.com/leatstream/leat/broker/internal/group"
)

// heartbeat passes a member's request to its group, and lets beat handle it there.
// A member that joins makes the group, or turns a classic one into one of the
// kind.
func heartbeat[G group.Membership, H group.Heartbeat](c *Groups, h H, beat func(G, group.Env, group.Call, H) group.Effects) (*Answer, error) {
	s, err := c.of(h.GroupID())
	if err != nil {
		return nil, err
	}
	return run(s, func(out *Answer) {
		env := s.env(h.GroupID(), h.Kind())
		s.last++
		s.calls[s.last] = out
		call, g := s.last, s.group(h.GroupID(), env.Now)
		m, mine := g.Membership().(G)
		switch {
		case mine:
			s.carryOut(env.Now, g, beat(m, env, call, h))
		case h.Joins() && g.Membership() == nil:
			s.carryOut(env.Now, g, s.found(env, g, call, h, func(m group.Membership) group.Effects {
				return beat(m.(G), env, call, h)
			}))
		default:
			s.carryOut(env.Now, g, group.Refused(call, h, h.NotFound(env)))
		}
	}), nil
}

// found gives a classic group members of another kind, if the step of the first
// of them succeeds: nobody, or those that it has.
func (s *shard) found(env group.Env, g *group.Group, call group.Call, h group.Heartbeat, step func(group.Membership) group.Effects) group.Effects {
	records := g.Leftovers()
	var m group.Membership
	switch {
	case g.Vacant():
		m = newMembership(h.Kind(), g.ID())
	case h.Kind() == group.Consumer:
		upgraded, made, err := consumer.Upgrade(env, g)
		if err != nil {
			return group.Refused(call, h, err)
		}
		m, records = upgraded, append(records, made...)
	default:
		return group.Refused(call, h, h.NotFound(env))
	}
	e := step(m)
	if len(e.Records) > 0 {
		e.Records, e.Become = slices.Concat(records, e.Records), m
		e.Replies = append(g.Disturb(), e.Replies...)
	}
	return e
}

// Seen is what became of a look at a group.
type Seen uint8

// What became of it: there is no such group, or one of another kind, or it was
// seen.
const (
	NoGroup Seen = iota
	OtherKind
	Found
)

// View is a look at a group, and what it has shown if the group was found.
type View[T any] struct {
	Seen Seen
	What T
}

// look answers with what f makes of the members of a group, as Inspect does.
func look[G group.Membership, T any](c *Groups, id string, f func(G) T) (*Future[View[T]], error) {
	return c.Inspect(id, func(g *group.Group) (v View[T]) {
		if g == nil {
			return v
		}
		m, ok := g.Membership().(G)
		if v.Seen = OtherKind; ok {
			v = View[T]{Found, f(m)}
		}
		return v
	})
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
	if e.Rejoin {
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
