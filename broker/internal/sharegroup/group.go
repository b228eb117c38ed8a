package sharegroup

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// Group is the members of one share group.
type Group struct {
	id string

	// What follows is what records tell.
	epoch    int32
	hash     int64 // of the topics that members subscribe to
	targetAt int32 // the target's epoch
	computed int64 // when the target was computed, in milliseconds
	members  map[string]*member
	targets  map[string]assignor.Assignment
	shared   assignor.Assignment // the partitions of which the group has a state

	// What follows is not in records.
	expires map[string]time.Time // when members' sessions end
	seen    group.Topics         // for which the hash was computed
}

// member is one member. It is never modified once it is in a group: the records of
// a step replace it.
type member struct {
	id     string
	rack   *string
	client group.Client
	topics []string // subscribed to, in order

	epoch, previous int32
	assigned        assignor.Assignment
}

func (m *member) clone() *member {
	c := *m
	return &c
}

// New returns an empty group.
func New(id string) *Group {
	return &Group{
		id: id, members: map[string]*member{}, targets: map[string]assignor.Assignment{},
		shared: assignor.Assignment{}, expires: map[string]time.Time{},
	}
}

// Kind is Share.
func (g *Group) Kind() group.Kind { return group.Share }

// Members is how many members there are.
func (g *Group) Members() int { return len(g.members) }

// State is Kafka's name of the group's state.
func (g *Group) State() string {
	if len(g.members) == 0 {
		return "Empty"
	}
	return "Stable"
}

func (g *Group) memberIDs() []string { return slices.Sorted(maps.Keys(g.members)) }

// Subscribed says whether a member consumes the topic.
func (g *Group) Subscribed(topic string) bool {
	for _, m := range g.members {
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
	for id := range g.members {
		g.expires[id] = env.Now.Add(env.Settings.Share.SessionTimeout)
	}
}

// NextDeadline is when a member's session ends; zero is never.
func (g *Group) NextDeadline() (next time.Time) {
	for _, t := range g.expires {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	return next
}

// retryAfter is when a removal that could not be stored is tried again.
const retryAfter = time.Second

// Tick removes the members that have been silent for too long.
func (g *Group) Tick(env group.Env) group.Effects {
	s := g.begin(env)
	var late []string
	for _, id := range slices.Sorted(maps.Keys(g.expires)) {
		switch {
		case g.members[id] == nil:
			delete(g.expires, id) // its record could not be stored
		case !g.expires[id].After(env.Now):
			late = append(late, id)
			g.expires[id] = env.Now.Add(retryAfter) // if this can't be stored
		}
	}
	if len(late) > 0 {
		s.fence(late...)
	}
	return s.e
}

// AssignorName is the one assignor of share groups.
const AssignorName = "simple"

// Describe fills what ShareGroupDescribe tells of the group.
func (g *Group) Describe(topics group.Topics, d *kmsg.ShareGroupDescribeResponseGroup) {
	d.GroupID, d.GroupState, d.GroupEpoch, d.AssignmentEpoch, d.Assignor = g.id, g.State(), g.epoch, g.targetAt, AssignorName
	for _, id := range g.memberIDs() {
		m := g.members[id]
		dm := kmsg.NewShareGroupDescribeResponseGroupMember()
		dm.MemberID, dm.RackID, dm.MemberEpoch = m.id, m.rack, m.epoch
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
	}
}
