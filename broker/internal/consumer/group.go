package consumer

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Group is the members of one consumer group.
type Group struct {
	membership.Roster[*member, assignor.Assignment]

	regexes map[string]regex // told by records, too

	// What follows is derived from records.
	static map[string]string // instance id -> member id
	owners map[partition]string
}

type partition struct {
	topic assignor.ID
	index int32
}

// regex is what a regular expression stands for.
type regex struct {
	topics     []string // in order
	resolvedAt int64    // milliseconds
}

// records is what Kafka calls them.
var records = membership.Records[assignor.Assignment]{
	Kind: group.Consumer, Group: group.ConsumerGroup, Target: group.ConsumerTarget,
	Member: group.ConsumerMember, MemberTarget: group.ConsumerMemberTarget, Current: group.ConsumerCurrent,
	Schema: membership.AssignmentSchema,
}

// New returns an empty group.
func New(id string) *Group {
	return &Group{
		Roster:  membership.New[*member](id, &records),
		regexes: map[string]regex{}, static: map[string]string{}, owners: map[partition]string{},
	}
}

// Subscribed says whether a member consumes the topic.
func (g *Group) Subscribed(topic string) bool {
	for _, m := range g.Member {
		if slices.Contains(m.topics, topic) || slices.Contains(g.regexes[m.regex].topics, topic) {
			return true
		}
	}
	return false
}

// put makes the member part of the group, in place of the one with its id.
func (g *Group) put(m *member) {
	g.disown(g.Member[m.id])
	g.Member[m.id] = m
	if m.instance != nil {
		g.static[*m.instance] = m.id
	}
	for p := range m.has() {
		g.owners[p] = m.id
	}
}

// unlink forgets where a member that goes is to be found. The instance id may be
// another's by now.
func (g *Group) unlink(m *member) {
	g.disown(m)
	if m != nil && m.instance != nil && g.static[*m.instance] == m.id {
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
