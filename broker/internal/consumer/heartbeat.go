package consumer

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// The epochs by which members join and leave.
const (
	joining = 0
	leaving = -1
)

// Heartbeat is a ConsumerGroupHeartbeat request and who sent it.
type Heartbeat struct {
	*kmsg.ConsumerGroupHeartbeatRequest
	Client group.Client
	// Visible says whether the client may know of a topic. What a regular
	// expression matches is restricted to such topics.
	Visible func(topic string) bool
}

// Joins says that the request asks for a new member.
func (h *Heartbeat) Joins() bool { return h.MemberEpoch == joining }

// Heartbeat handles a member's request: to join, to go on, or to leave.
func (g *Group) Heartbeat(env group.Env, call group.Call, h *Heartbeat) group.Effects {
	s := g.begin(env)
	resp := h.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	err := h.check()
	if err == nil {
		err = s.heartbeat(h, resp)
	}
	if err != nil {
		return Refused(call, h, err)
	}
	s.e.Reply(call, resp)
	return s.e
}

// Refused answers a heartbeat with an error.
func Refused(call group.Call, h *Heartbeat, err error) group.Effects {
	var e group.Effects
	resp := h.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	resp.ErrorCode, resp.ErrorMessage = group.Refusal(err)
	e.Reply(call, resp)
	return e
}

// NotFound is the error for a group that isn't there, or is of another kind.
func NotFound(env group.Env, h *Heartbeat) error {
	if !env.Known && h.MemberEpoch >= joining {
		return group.Refuse(kerr.GroupIDNotFound, "Consumer group "+h.Group+" not found.")
	}
	return group.NotFound(env, h.Group, group.Consumer.String())
}

func (s *step) heartbeat(h *Heartbeat, resp *kmsg.ConsumerGroupHeartbeatResponse) error {
	if h.MemberEpoch < joining {
		return s.leave(h, resp)
	}
	m, err := s.find(h)
	if err != nil {
		return err
	}
	before := m
	m = m.clone()
	h.update(m)
	c := unchanged
	if known := s.g.members[m.id]; known == nil || !m.sameMetadata(known) || s.replaced[m.id] != "" {
		s.tell(m)
		c = change(!m.sameSubscription(before))
	}
	if err := s.resolve(m, h.Visible); err != nil {
		return err
	}
	s.refresh(c)
	s.assign()
	m = s.reconcile(m, reportedOf(h.Topics), c)
	s.keepAlive(m)
	h.answer(s, resp, before, m)
	return nil
}

// check refuses requests that contradict themselves.
func (h *Heartbeat) check() error {
	empty := func(v *string) bool { return v != nil && *v == "" }
	invalid := func(why string) error { return group.Refuse(kerr.InvalidRequest, why) }
	switch {
	case h.MemberID == "" && (h.MemberEpoch != joining || h.Version >= 1):
		return invalid("MemberId can't be empty.")
	case h.Group == "":
		return invalid("GroupId can't be empty.")
	case empty(h.InstanceID):
		return invalid("InstanceId can't be empty.")
	case empty(h.RackID):
		return invalid("RackId can't be empty.")
	case h.MemberEpoch == leftForNow && h.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case h.MemberEpoch < leftForNow:
		return invalid("MemberEpoch is invalid.")
	case h.MemberEpoch == joining && h.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case h.MemberEpoch == joining && (h.Topics == nil || len(h.Topics) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case h.MemberEpoch == joining && h.SubscribedTopicNames == nil && h.SubscribedTopicRegex == nil:
		return invalid("Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.")
	}
	if a := h.ServerAssignor; a != nil {
		if _, ok := assignor.ByName(*a); !ok {
			return group.Refuse(kerr.UnsupportedAssignor, fmt.Sprintf("ServerAssignor %s is not supported. Supported assignors: %s, %s.", *a, assignor.UniformName, assignor.RangeName))
		}
	}
	return nil
}

// find returns the member that sent the request, or a new one, and checks its
// epoch.
func (s *step) find(h *Heartbeat) (*member, error) {
	g := s.g
	id := h.MemberID
	if id == "" {
		id = s.env.NewID()
	}
	known := g.members[id]
	if known == nil && len(g.members) >= s.env.MaxMembers {
		return nil, group.Refuse(kerr.GroupMaxSizeReached, fmt.Sprintf("The consumer group has reached its maximum capacity of %d members.", s.env.MaxMembers))
	}
	if h.InstanceID != nil {
		return s.findStatic(id, h)
	}
	switch {
	case known != nil:
		return known, h.checkEpoch(known)
	case h.Joins():
		return &member{id: id}, nil
	}
	return nil, group.Refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", id, g.id))
}

// findStatic is find for a static member. One that joins takes the place of the one
// that left for now.
func (s *step) findStatic(id string, h *Heartbeat) (*member, error) {
	g, instance := s.g, *h.InstanceID
	old := g.members[g.static[instance]]
	switch {
	case h.Joins() && old == nil:
		if known := g.members[id]; known != nil {
			return known, nil
		}
		return &member{id: id}, nil
	case h.Joins():
		if old.id == id && old.epoch != leftForNow {
			return old, nil
		}
		if old.classic == nil && old.epoch != leftForNow {
			return nil, group.Refuse(kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, instance, old.id))
		}
		return s.replace(old, id), nil
	case old == nil:
		return nil, group.Refuse(kerr.UnknownMemberID, "Instance id "+instance+" is unknown.")
	case old.id != id:
		return nil, group.Refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", id, instance, old.id))
	}
	return old, h.checkEpoch(old)
}

// replace gives a static member's place to one with another id.
func (s *step) replace(old *member, id string) *member {
	m := old.clone()
	m.id, m.epoch, m.previous, m.phase = id, 0, 0, stable
	if old.id != id {
		s.add(s.g.memberTombstones(old.id)...)
		s.members[old.id] = nil
		s.replaced[id] = old.id
		s.add(s.g.record(group.ConsumerMemberTarget, id, targetSchema(s.g.targets[old.id])))
	}
	s.give(m)
	return m
}

// checkEpoch fences a member that isn't where the group believes it to be. One
// whose last answer got lost may come with the epoch before, if it doesn't claim
// partitions that it was not given.
func (h *Heartbeat) checkEpoch(m *member) error {
	which := "greater"
	switch {
	case h.MemberEpoch == m.epoch, h.Joins():
		return nil
	case h.MemberEpoch < m.epoch:
		if h.MemberEpoch == m.previous && h.ownsOnly(m.assigned) {
			return nil
		}
		which = "smaller"
	}
	return group.Refuse(kerr.FencedMemberEpoch, fmt.Sprintf(
		"The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.",
		which, h.MemberEpoch, m.epoch))
}

func (h *Heartbeat) ownsOnly(o owned) bool {
	for _, t := range h.Topics {
		for _, p := range t.Partitions {
			if !o.has(t.TopicID, p) {
				return false
			}
		}
	}
	return h.Topics != nil
}

// update takes into the member what the request tells of it. Null is as before.
func (h *Heartbeat) update(m *member) {
	m.client, m.classic = h.Client, nil
	if h.InstanceID != nil {
		m.instance = h.InstanceID
	}
	if h.RackID != nil {
		m.rack = h.RackID
	}
	if h.RebalanceTimeoutMillis != -1 {
		m.rebalance = time.Duration(h.RebalanceTimeoutMillis) * time.Millisecond
	}
	if h.ServerAssignor != nil {
		m.assignor = h.ServerAssignor
	}
	if h.SubscribedTopicNames != nil {
		m.topics = slices.Compact(slices.Sorted(slices.Values(h.SubscribedTopicNames)))
	}
	if h.SubscribedTopicRegex != nil {
		m.regex = *h.SubscribedTopicRegex
	}
}

// reportedOf is what a member says it has; nil if it says nothing.
func reportedOf(topics []kmsg.ConsumerGroupHeartbeatRequestTopic) assignor.Assignment {
	if topics == nil {
		return nil
	}
	a := assignor.Assignment{}
	for _, t := range topics {
		a[t.TopicID] = append(a[t.TopicID], t.Partitions...)
	}
	return a
}

// reconcile brings the member nearer to its target.
func (s *step) reconcile(m *member, reported assignor.Assignment, c change) *member {
	next := reconcile(m, goal{
		epoch: max(1, s.targetAt), target: s.target(m.id), subscribed: s.subscribed(m), shrunk: c == changed, reported: reported,
		taken: func(id assignor.ID, p int32) bool {
			owner := s.g.owners[partition{id, p}]
			return owner != "" && owner != m.id && owner != s.replaced[m.id]
		},
	})
	if next == m || next.sameState(m) {
		return m
	}
	s.give(next)
	return next
}

// keepAlive sets the member's time limits.
func (s *step) keepAlive(m *member) {
	now, ss := s.env.Now, s.g.session(m.id)
	ss.expires = now.Add(s.g.sessionTimeout(s.env, m))
	switch {
	case m.classic != nil:
		ss.revokeBy = now.Add(m.rebalance) // to ask for its assignment
	case m.phase != revoking:
		ss.revokeBy = time.Time{}
	case ss.revokeBy.IsZero() || s.members[m.id] == m:
		ss.revokeBy = now.Add(m.rebalance)
	}
}

// sessionTimeout is after how long a silent member is removed.
func (g *Group) sessionTimeout(env group.Env, m *member) time.Duration {
	if m.classic != nil {
		return m.classic.session
	}
	return env.Settings.Consumer.SessionTimeout
}

// answer tells the member its epoch, and what it should have if that is news to
// it or it told all of itself, as clients do that have lost track.
func (h *Heartbeat) answer(s *step, resp *kmsg.ConsumerGroupHeartbeatResponse, before, m *member) {
	resp.MemberID, resp.MemberEpoch = &m.id, m.epoch
	resp.HeartbeatIntervalMillis = int32(s.env.Settings.Consumer.HeartbeatInterval.Milliseconds())
	full := h.RebalanceTimeoutMillis != -1 && (h.SubscribedTopicNames != nil || h.SubscribedTopicRegex != nil) && h.Topics != nil
	if !h.Joins() && !full && m.assigned.samePartitions(before.assigned) {
		return
	}
	a := &kmsg.ConsumerGroupHeartbeatResponseAssignment{}
	for _, t := range m.assigned.topics() {
		a.Topics = append(a.Topics, kmsg.ConsumerGroupHeartbeatResponseAssignmentTopic{TopicID: t.id, Partitions: t.partitions})
	}
	resp.Assignment = a
}

// leave removes a member. A static one may say that it comes back: it keeps its
// partitions until its session ends.
func (s *step) leave(h *Heartbeat, resp *kmsg.ConsumerGroupHeartbeatResponse) error {
	g := s.g
	resp.MemberID, resp.MemberEpoch = &h.MemberID, h.MemberEpoch
	m := g.members[h.MemberID]
	if h.InstanceID != nil {
		old := g.members[g.static[*h.InstanceID]]
		switch {
		case old == nil:
			return group.Refuse(kerr.UnknownMemberID, "Instance id "+*h.InstanceID+" is unknown.")
		case old.id != h.MemberID:
			return group.Refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", h.MemberID, *h.InstanceID, old.id))
		}
		m = old
	}
	if m == nil {
		return group.Refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", h.MemberID, g.id))
	}
	if h.MemberEpoch == leaving {
		s.fence(m.id)
		return nil
	}
	c := m.clone()
	c.epoch, c.pending = leftForNow, nil
	s.give(c)
	g.session(c.id).revokeBy = time.Time{}
	return nil
}
