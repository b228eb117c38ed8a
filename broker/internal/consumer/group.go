package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// Group is the members of one consumer group.
type Group struct {
	id string

	// What follows is what records tell.
	epoch    int32
	hash     int64 // of the topics that members subscribe to
	targetAt int32 // the target's epoch
	computed int64 // when the target was computed, in milliseconds
	members  map[string]*member
	targets  map[string]assignor.Assignment
	regexes  map[string]regex

	// What follows is derived from it.
	static map[string]string // instance id -> member id
	owners map[partition]string

	// What follows is not in records.
	sessions map[string]*session
	seen     group.Topics // for which the hash was computed
}

type partition struct {
	topic assignor.ID
	index int32
}

// session is what is known of a member until the broker stops.
type session struct {
	expires  time.Time
	revokeBy time.Time // zero if it has nothing to give back
}

// regex is what a regular expression stands for.
type regex struct {
	topics     []string // in order
	resolvedAt int64    // milliseconds
}

// New returns an empty group.
func New(id string) *Group {
	return &Group{
		id:      id,
		members: map[string]*member{}, targets: map[string]assignor.Assignment{}, regexes: map[string]regex{},
		static: map[string]string{}, owners: map[partition]string{}, sessions: map[string]*session{},
	}
}

// Kind is Consumer.
func (g *Group) Kind() group.Kind { return group.Consumer }

// Members is how many members there are.
func (g *Group) Members() int { return len(g.members) }

// Epoch is the group's epoch.
func (g *Group) Epoch() int32 { return g.epoch }

// State is Kafka's name of the group's state.
func (g *Group) State() string {
	switch {
	case len(g.members) == 0:
		return "Empty"
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

// memberIDs lists the members in a fixed order.
func (g *Group) memberIDs() []string { return slices.Sorted(maps.Keys(g.members)) }

// Subscribed says whether a member consumes the topic.
func (g *Group) Subscribed(topic string) bool {
	for _, m := range g.members {
		if slices.Contains(m.topics, topic) || slices.Contains(g.regexes[m.regex].topics, topic) {
			return true
		}
	}
	return false
}

// put makes the member part of the group, in place of the one with its id.
func (g *Group) put(m *member) {
	g.disown(g.members[m.id])
	g.members[m.id] = m
	if m.instance != nil {
		g.static[*m.instance] = m.id
	}
	for p := range m.has() {
		g.owners[p] = m.id
	}
}

// drop removes a member.
func (g *Group) drop(id string) {
	m := g.members[id]
	if m == nil {
		return
	}
	g.disown(m)
	delete(g.members, id)
	delete(g.sessions, id)
	if m.instance != nil && g.static[*m.instance] == id {
		delete(g.static, *m.instance)
	}
}

func (g *Group) disown(m *member) {
	if m == nil {
		return
	}
	for p := range m.has() {
		if g.owners[p] == m.id {
			delete(g.owners, p)
		}
	}
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
