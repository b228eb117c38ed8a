package streams

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// step is a decision in the making: what the group will be once the records are
// applied.
type step struct {
	g   *Group
	env group.Env
	e   group.Effects

	epoch    int32
	targetAt int32
	topology *topology
	members  map[string]*member // changed or new; nil is removed
	targets  map[string]assignor.Roles
	statuses []status
}

func (g *Group) begin(env group.Env) *step {
	return &step{
		g: g, env: env, e: group.Effects{Deferred: true}, epoch: g.epoch, targetAt: g.targetAt, topology: g.topology,
		members: map[string]*member{},
	}
}

func (s *step) add(rs ...group.Record) { s.e.Records = append(s.e.Records, rs...) }

// all lists the members as they will be, by id.
func (s *step) all() []*member {
	var ms []*member
	for id, m := range s.g.members {
		if _, changed := s.members[id]; !changed {
			ms = append(ms, m)
		}
	}
	for _, m := range s.members {
		if m != nil {
			ms = append(ms, m)
		}
	}
	slices.SortFunc(ms, func(a, b *member) int { return cmp.Compare(a.id, b.id) })
	return ms
}

// tell records what a member tells of itself.
func (s *step) tell(m *member) {
	s.add(s.g.record(group.StreamsMember, m.id, m.metadataSchema))
	s.members[m.id] = m
}

// give records what a member has.
func (s *step) give(m *member) {
	s.add(s.g.record(group.StreamsCurrent, m.id, m.currentSchema))
	s.members[m.id] = m
}

// fence removes members, and bumps the epoch for it.
func (s *step) fence(ids ...string) {
	for _, id := range ids {
		s.add(s.g.memberTombstones(id)...)
		s.members[id] = nil
	}
	if len(s.all()) == 0 {
		s.g.shutdownBy, s.g.delayedUntil = "", time.Time{}
	}
	s.bump(s.g.hash, s.g.validated, s.g.settings)
}

// bump gives the group the next epoch. It begins with 2, so that there is one
// before it for members that join before there is a target.
func (s *step) bump(hash int64, validated int32, settings []keyValue) {
	s.epoch = max(s.epoch+1, 2)
	v := groupValue{epoch: s.epoch, hash: hash, validated: validated, settings: settings}
	s.add(s.g.record(group.StreamsGroup, "", v.schema))
}

// change says whether something has changed that calls for a new epoch.
type change bool

const (
	unchanged change = false
	changed   change = true
)

// adopt takes the topology that a member brings, if there is none.
func (s *step) adopt(m *member, t *topology) error {
	switch {
	case t == nil && s.topology == nil:
		return group.Refuse(kerr.InvalidRequest, "Topology must be non-null when (re-)joining.")
	case t == nil:
	case s.topology == nil:
		s.topology = t
		s.add(s.g.record(group.StreamsTopology, "", t.schema))
	case s.topology.epoch > t.epoch:
	case !s.topology.equal(t):
		return group.Refuse(kerr.InvalidRequest, "Topology updates are not supported yet.")
	}
	if m.topologyEpoch < s.topology.epoch {
		s.say(statusf(staleTopology, "The member's topology epoch %d is behind the group's topology epoch %d.", m.topologyEpoch, s.topology.epoch))
	}
	return nil
}

func (s *step) say(st *status) { s.statuses = append(s.statuses, *st) }

// configure looks at the topics of the topology, and bumps the group's epoch if
// they have changed, or somebody has.
func (s *step) configure(c change) {
	g := s.g
	hash := g.hash
	if c == changed || g.configured == nil || g.seen != s.env.Topics {
		g.configured, g.seen = configure(s.topology, s.env.Topics), s.env.Topics
		hash = group.Hash(s.env.Topics, s.topology.topics())
	}
	validated := int32(-1)
	if g.configured.trouble == nil {
		validated = s.topology.epoch
	} else {
		s.say(g.configured.trouble)
	}
	settings := s.settings()
	if c == changed || hash != g.hash || validated != g.validated || !slices.Equal(settings, g.settings) {
		s.bump(hash, validated, settings)
	}
}

// settings are the group's settings that assignments depend on.
func (s *step) settings() []keyValue {
	return []keyValue{{"num.standby.replicas", strconv.Itoa(s.env.Settings.StreamsStandbys)}}
}

// assign computes a new target if the group's epoch calls for one. It waits until
// the first members have come, and until the last target is old enough.
func (s *step) assign() {
	g := s.g
	if s.epoch <= s.targetAt {
		return
	}
	now := s.env.Now
	if now.Before(g.delayedUntil) {
		s.targetAt, s.targets = max(1, s.targetAt), map[string]assignor.Roles{}
		s.say(statusf(assignmentDelayed, "Assignment delayed due to the configured initial rebalance delay."))
		return
	}
	wait := s.env.Settings.Streams.AssignmentInterval.Milliseconds()
	if age := now.UnixMilli() - g.computed; g.computed > 0 && age >= 0 && age < wait {
		s.say(statusf(assignmentDelayed, "Assignment delayed due to the configured assignment interval."))
		return
	}
	members := s.all()
	s.targets = assignor.Sticky(s.views(members), g.configured.ready(), s.env.Settings.StreamsStandbys)
	for _, m := range members {
		t := s.targets[m.id]
		if old, ok := g.targets[m.id]; !ok || !old.Equal(t) {
			s.add(g.record(group.StreamsMemberTarget, m.id, rolesSchema(&t)))
		}
	}
	s.targetAt = s.epoch
	v := targetValue{epoch: s.targetAt, at: now.UnixMilli()}
	s.add(g.record(group.StreamsTarget, "", v.schema))
}

// ready are the sub-topologies whose tasks can be assigned: all or none.
func (c *configured) ready() []assignor.Subtopology {
	if c.trouble != nil {
		return nil
	}
	return c.subs
}

// target is that of a member as it will be.
func (s *step) target(id string) assignor.Roles {
	if s.targets != nil {
		return s.targets[id]
	}
	return s.g.targets[id]
}

// views is the members as the assignor sees them.
func (s *step) views(members []*member) []assignor.TaskMember {
	views := make([]assignor.TaskMember, 0, len(members))
	for _, m := range members {
		views = append(views, assignor.TaskMember{ID: m.id, Process: m.process, Had: s.g.targets[m.id]})
	}
	return views
}
