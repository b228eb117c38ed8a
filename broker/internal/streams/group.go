package streams

import (
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// Group is the members of one streams group, and their topology.
type Group struct {
	id string

	// What follows is what records tell.
	epoch     int32
	hash      int64      // of the topics that the topology needs
	validated int32      // the epoch of the topology for which all topics were found, or -1
	settings  []keyValue // by which the last target was computed
	targetAt  int32      // the target's epoch
	computed  int64      // when the target was computed, in milliseconds
	members   map[string]*member
	targets   map[string]assignor.Roles
	topology  *topology // nil before the first member

	// What follows is not in records.
	sessions     map[string]*session
	seen         group.Topics // for which the topology was configured
	configured   *configured
	delayedUntil time.Time // of the first target; zero if it isn't
	endpoints    int32     // the epoch of what is told of endpoints
	shutdownBy   string    // the member that asked all to stop
}

// session is what is known of a member until the broker stops.
type session struct {
	expires  time.Time
	revokeBy time.Time // zero if it has nothing to give back
}

// New returns an empty group.
func New(id string) *Group {
	return &Group{
		id: id, validated: -1, endpoints: -1,
		members: map[string]*member{}, targets: map[string]assignor.Roles{}, sessions: map[string]*session{},
	}
}

// Kind is Streams.
func (g *Group) Kind() group.Kind { return group.Streams }

// Members is how many members there are.
func (g *Group) Members() int { return len(g.members) }

// State is Kafka's name of the group's state.
func (g *Group) State() string {
	switch {
	case len(g.members) == 0:
		return "Empty"
	case g.topology == nil || g.validated != g.topology.epoch:
		return "NotReady"
	case g.epoch > g.targetAt:
		return "Assigning"
	}
	for _, m := range g.members {
		if m.phase != stable || m.epoch != g.targetAt {
			return "Reconciling"
		}
	}
	return "Stable"
}

// Subscribed says whether the topology reads the topic.
func (g *Group) Subscribed(topic string) bool {
	if g.topology == nil || len(g.members) == 0 {
		return false
	}
	for _, s := range g.topology.subs {
		for _, name := range s.inputs() {
			if name == topic {
				return true
			}
		}
	}
	return false
}

// Missing lists the internal topics that the group waits for.
func (g *Group) Missing(topics group.Topics) []NewTopic {
	if g.topology == nil {
		return nil
	}
	return configure(g.topology, topics).missing
}

// session is that of a member, made if need be.
func (g *Group) session(id string) *session {
	s := g.sessions[id]
	if s == nil {
		s = &session{}
		g.sessions[id] = s
	}
	return s
}
