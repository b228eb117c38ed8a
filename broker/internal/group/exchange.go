package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ClassicMember is a member of a classic group, when it becomes one of a group of
// another kind or has been one.
type ClassicMember struct {
	ID         string
	Instance   *string
	Client     Client
	Session    time.Duration
	Rebalance  time.Duration
	Protocols  []kmsg.JoinGroupRequestProtocol
	Assignment []byte
}

// metadata is the member's metadata for a protocol; nil if it doesn't speak it.
func (m ClassicMember) metadata(protocol string) []byte {
	return (&member{protocols: m.Protocols}).metadata(protocol)
}

// Generation is a classic group's generation: of its last rebalance.
func (g *Group) Generation() int32 { return g.generation }

// Protocol is what a classic group has chosen; "" while there is none.
func (g *Group) Protocol() string { return g.protocol }

// ClassicMembers lists the members of a classic group, in the order in which they
// joined. What they point to must not be modified.
func (g *Group) ClassicMembers() []ClassicMember {
	var ms []ClassicMember
	for _, id := range g.order {
		m := g.members[id]
		ms = append(ms, ClassicMember{m.id, m.instanceID, m.client, m.session, m.rebalance, m.protocols, m.assignment})
	}
	return ms
}

// Disturb answers the calls of members of a classic group that wait for the end of
// a rebalance: there will be another.
func (g *Group) Disturb() []Reply {
	var e Effects
	for _, id := range g.order {
		g.failCalls(g.members[id], &e, kerr.RebalanceInProgress.Code)
	}
	return e.Replies
}

// ClassicRecord is the record of a stable classic group of consumers with the
// members, which must be some, and all speak the protocol.
func ClassicRecord(id string, now time.Time, generation int32, protocol string, members []ClassicMember) Record {
	g := New(id, nil, now)
	g.protocolType, g.generation, g.protocol = consumerType, generation, protocol
	for _, m := range members {
		g.add(&member{
			id: m.ID, instanceID: m.Instance, client: m.Client, session: m.Session, rebalance: m.Rebalance, assignment: m.Assignment,
			protocols: []kmsg.JoinGroupRequestProtocol{{Name: protocol, Metadata: m.metadata(protocol)}},
		})
	}
	return g.record(now)
}

// Rebalance lets the members of a classic group join again.
func (g *Group) Rebalance(now time.Time) { g.Unassign(now) }
