package streams

import (
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// step is a decision in the making: what the group will be once the records are
// applied.
type step struct {
	membership.Step[*member, assignor.Roles]

	g        *Group
	topology *topology
	statuses []status // what the member is told of
}

func (g *Group) begin(env group.Env) *step {
	return &step{Step: g.Begin(env), g: g, topology: g.topology}
}

// tell records what a member tells of itself.
func (s *step) tell(m *member) { s.Tell(m, m.metadataSchema) }

// give records what a member has.
func (s *step) give(m *member) { s.Give(m, m.currentSchema) }

// fence removes members, and bumps the epoch for it.
func (s *step) fence(ids ...string) {
	s.Remove(ids...)
	// What the last members have left behind must not meet those who come next.
	if len(s.All()) == 0 {
		s.g.shutdownBy, s.g.delayedUntil = "", time.Time{}
	}
	s.bump(s.g.Hash, s.g.validated, s.g.settings)
}

// bump gives the group the next epoch.
func (s *step) bump(hash int64, validated int32, settings []keyValue) {
	s.Bump(membership.First)
	v := groupValue{epoch: s.Epoch, hash: hash, validated: validated, settings: settings}
	s.Add(s.g.Record(group.StreamsGroup, "", v.schema))
}

// adopt takes the topology that a member brings, if there is none.
func (s *step) adopt(m *member, t *topology) error {
	switch {
	case t == nil && s.topology == nil:
		return group.Refuse(kerr.InvalidRequest, "Topology must be non-null when (re-)joining.")
	case t == nil:
	case s.topology == nil:
		s.topology = t
		s.Add(s.g.Record(group.StreamsTopology, "", t.schema))
	case s.topology.epoch > t.epoch: // it may join, and is told below that it is late
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
func (s *step) configure(c membership.Change) {
	g := s.g
	hash := g.Hash
	if c == membership.Changed || g.configured == nil || g.Seen != s.Env.Topics {
		g.configured, g.Seen = configure(s.topology, s.Env.Topics), s.Env.Topics
		hash = group.Hash(s.Env.Topics, s.topology.topics())
	}
	validated := int32(-1)
	if g.configured.trouble == nil {
		validated = s.topology.epoch
	} else {
		s.say(g.configured.trouble)
	}
	settings := s.settings()
	if c == membership.Changed || hash != g.Hash || validated != g.validated || !slices.Equal(settings, g.settings) {
		s.bump(hash, validated, settings)
	}
}

// settings are the group's settings that assignments depend on.
func (s *step) settings() []keyValue {
	return []keyValue{{"num.standby.replicas", strconv.Itoa(s.Env.Settings.StreamsStandbys)}}
}

// assign computes a new target if the group's epoch calls for one. It waits until
// the first members have come, and until the last target is old enough.
func (s *step) assign() {
	g := s.g
	if s.Epoch <= s.TargetAt {
		return
	}
	if s.Env.Now.Before(g.delayedUntil) {
		// The member gets the epoch before the first target, with nothing to do.
		s.TargetAt, s.Targets = max(membership.First-1, s.TargetAt), map[string]assignor.Roles{}
		s.say(statusf(assignmentDelayed, "Assignment delayed due to the configured initial rebalance delay."))
		return
	}
	if !s.Due(s.Env.Settings.Streams.AssignmentInterval) {
		s.say(statusf(assignmentDelayed, "Assignment delayed due to the configured assignment interval."))
		return
	}
	members := s.All()
	targets := assignor.Sticky(s.views(members), g.configured.ready(), s.Env.Settings.StreamsStandbys)
	s.Retarget(members, targets, nil)
}

// ready are the sub-topologies whose tasks can be assigned: all or none.
func (c *configured) ready() []assignor.Subtopology {
	if c.trouble != nil {
		return nil
	}
	return c.subs
}

// views is the members as the assignor sees them.
func (s *step) views(members []*member) []assignor.TaskMember {
	views := make([]assignor.TaskMember, 0, len(members))
	for _, m := range members {
		views = append(views, assignor.TaskMember{ID: m.id, Process: m.process, Had: s.g.Target[m.id]})
	}
	return views
}
