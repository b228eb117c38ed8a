package sharegroup

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Group is the members of one share group.
type Group struct {
	membership.Roster[*member, assignor.Assignment]

	shared assignor.Assignment // the partitions of which the group has a state; told by records
}

// member is one member. It is never modified once it is in a group: the records of
// a step replace it. Its phase is always that it has what it should have.
type member struct {
	membership.Progress

	id     string
	rack   *string
	client group.Client
	topics []string // subscribed to, in order

	assigned assignor.Assignment
}

// Name is the member's id.
func (m *member) Name() string { return m.id }

// clone copies a member, to be changed. What it points to must be replaced, not
// changed.
func (m *member) clone() *member {
	c := *m
	return &c
}

// records is what Kafka calls them.
var records = membership.Records[assignor.Assignment]{
	Kind: group.Share, Group: group.ShareGroup, Target: group.ShareTarget, Others: []group.RecordType{group.SharePartitions},
	Member: group.ShareMember, MemberTarget: group.ShareMemberTarget, Current: group.ShareCurrent,
	Schema: membership.AssignmentSchema,
}

// New returns an empty group.
func New(id string) *Group {
	return &Group{Roster: membership.New[*member](id, &records), shared: assignor.Assignment{}}
}

// State is Kafka's name of the group's state. There is nothing that members of a
// share group have to wait for.
func (g *Group) State() string {
	if len(g.Member) == 0 {
		return "Empty"
	}
	return "Stable"
}

// Subscribed says whether a member consumes the topic.
func (g *Group) Subscribed(topic string) bool {
	for _, m := range g.Member {
		if slices.Contains(m.topics, topic) {
			return true
		}
	}
	return false
}

// Shared is the partitions of which the group has a state. It must not be
// modified.
func (g *Group) Shared() assignor.Assignment { return g.shared }

// CheckCommit refuses all: share groups have no offsets of that kind. To the calls
// for these there is no such group.
func (g *Group) CheckCommit(group.Env, group.Committer, []group.Commit) int16 {
	return kerr.GroupIDNotFound.Code
}

// CheckFetch refuses all.
func (g *Group) CheckFetch(string, int32) int16 { return kerr.GroupIDNotFound.Code }

// Resume starts the sessions of all members.
func (g *Group) Resume(env group.Env) {
	g.Restart(env.Now, func(*member) (silent, revoking time.Duration) { return env.Settings.Share.SessionTimeout, 0 })
}

// Tick removes the members that have been silent for too long.
func (g *Group) Tick(env group.Env) group.Effects {
	s := g.begin(env)
	if late := g.Late(env.Now); len(late) > 0 {
		s.fence(late...)
	}
	return s.Effects
}

// AssignorName is the one assignor of share groups.
const AssignorName = "simple"

// Describe is what ShareGroupDescribe tells of the group, and the topics that members
// subscribe to: they have no others.
func (g *Group) Describe(topics group.Topics) (d kmsg.ShareGroupDescribeResponseGroup, mentioned []string) {
	d = kmsg.NewShareGroupDescribeResponseGroup()
	d.GroupID, d.GroupState, d.GroupEpoch, d.AssignmentEpoch, d.Assignor = g.ID, g.State(), g.Epoch, g.TargetAt, AssignorName
	for _, id := range g.MemberIDs() {
		m := g.Member[id]
		dm := kmsg.NewShareGroupDescribeResponseGroupMember()
		dm.MemberID, dm.RackID, dm.MemberEpoch = m.id, m.rack, m.Epoch
		dm.ClientID, dm.ClientHost = m.client.ID, m.client.Host
		dm.SubscribedTopicNames = slices.Clone(m.topics)
		for _, id := range m.assigned.IDs() {
			if t, ok := topics.TopicByID(id); ok {
				tp := kmsg.NewShareGroupDescribeResponseGroupMemberAssignmentTopicPartition()
				tp.TopicID, tp.Topic, tp.Partitions = id, t.Name, slices.Clone(m.assigned[id])
				dm.Assignment.TopicPartitions = append(dm.Assignment.TopicPartitions, tp)
			}
		}
		d.Members = append(d.Members, dm)
		mentioned = append(mentioned, m.topics...)
	}
	return d, mentioned
}
