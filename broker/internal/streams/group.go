package streams

import (
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Group is the members of one streams group, and their topology.
type Group struct {
	membership.Roster[*member, assignor.Roles]

	// What follows is what records tell, beyond that.
	validated int32      // the epoch of the topology for which all topics were found, or -1
	settings  []keyValue // by which the last target was computed
	topology  *topology  // nil before the first member

	// What follows is not in records.
	configured   *configured // for the topics that were seen last
	delayedUntil time.Time   // of the first target; zero if it isn't
	endpoints    int32       // the epoch of what is told of endpoints
	shutdownBy   string      // the member that asked all to stop
}

// records is what Kafka calls them.
var records = membership.Records[assignor.Roles]{
	Kind: group.Streams, Group: group.StreamsGroup, Target: group.StreamsTarget, Others: []group.RecordType{group.StreamsTopology},
	Member: group.StreamsMember, MemberTarget: group.StreamsMemberTarget, Current: group.StreamsCurrent,
	Schema: rolesSchema,
}

// New returns an empty group.
func New(id string) *Group {
	return &Group{Roster: membership.New[*member](id, &records), validated: -1, endpoints: -1}
}

// State is Kafka's name of the group's state.
func (g *Group) State() string {
	if len(g.Member) > 0 && (g.topology == nil || g.validated != g.topology.epoch) {
		return "NotReady"
	}
	return g.Roster.State()
}

// Subscribed says whether the topology reads the topic.
func (g *Group) Subscribed(topic string) bool {
	if g.topology == nil || len(g.Member) == 0 {
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
