package consumer

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Heartbeat is a ConsumerGroupHeartbeat request and who sent it.
type Heartbeat struct {
	*kmsg.ConsumerGroupHeartbeatRequest
	Client group.Client
	// Visible says whether the client may know of a topic. What a regular
	// expression matches is restricted to such topics.
	Visible func(topic string) bool
}

// GroupID is the group's name.
func (h *Heartbeat) GroupID() string { return h.Group }

// Kind is Consumer.
func (h *Heartbeat) Kind() group.Kind { return group.Consumer }

// Joins says that the request asks for a new member.
func (h *Heartbeat) Joins() bool { return h.MemberEpoch == membership.Joining }

// NotFound is the error for a group that isn't there, or is of another kind.
func (h *Heartbeat) NotFound(env group.Env) error {
	return group.NotFound(env, h.Kind(), h.Group, h.MemberEpoch)
}

// Heartbeat handles a member's request: to join, to go on, or to leave.
func (g *Group) Heartbeat(env group.Env, call group.Call, h *Heartbeat) group.Effects {
	s := g.begin(env)
	resp := h.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
	err := h.check()
	if err == nil {
		err = s.heartbeat(h, resp)
	}
	return group.Answer(call, h, s.Effects, resp, err)
}

func (s *step) heartbeat(h *Heartbeat, resp *kmsg.ConsumerGroupHeartbeatResponse) error {
	if h.MemberEpoch < membership.Joining {
		return s.leave(h, resp)
	}
	m, err := s.find(h)
	if err != nil {
		return err
	}
	// before is what the group knows, m what it will: what is told is stored even if
	// nothing else comes of the heartbeat.
	before := m
	m = m.clone()
	h.update(m)
	c := membership.Unchanged
	if known := s.g.Member[m.id]; known == nil || !m.sameMetadata(known) || s.replaced[m.id] != "" {
		s.tell(m)
		c = membership.ChangedIf(!m.sameSubscription(before))
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

// check refuses requests that contradict themselves. The texts are Kafka's, which
// users search for. Since v1 members make their ids themselves, so that one whose
// first answer got lost comes back as the same.
func (h *Heartbeat) check() error {
	empty := func(v *string) bool { return v != nil && *v == "" }
	invalid := func(why string) error { return group.Refuse(kerr.InvalidRequest, why) }
	switch {
	case h.MemberID == "" && (h.MemberEpoch != membership.Joining || h.Version >= 1):
		return invalid("MemberId can't be empty.")
	case h.Group == "":
		return invalid("GroupId can't be empty.")
	case empty(h.InstanceID):
		return invalid("InstanceId can't be empty.")
	case empty(h.RackID):
		return invalid("RackId can't be empty.")
	case h.MemberEpoch == membership.LeftForNow && h.InstanceID == nil:
		return invalid("InstanceId can't be null.")
	case h.MemberEpoch < membership.LeftForNow:
		return invalid("MemberEpoch is invalid.")
	case h.MemberEpoch == membership.Joining && h.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case h.MemberEpoch == membership.Joining && (h.Topics == nil || len(h.Topics) > 0):
		return invalid("TopicPartitions must be empty when (re-)joining.")
	case h.MemberEpoch == membership.Joining && h.SubscribedTopicNames == nil && h.SubscribedTopicRegex == nil:
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
		id = s.Env.NewID()
	}
	known := g.Member[id]
	// Before anything else, as in Kafka: even a static member that comes back under
	// another id is one too many in a full group.
	if known == nil && len(g.Member) >= s.Env.MaxMembers {
		return nil, membership.Full(h.Kind(), s.Env.MaxMembers)
	}
	if h.InstanceID != nil {
		return s.findStatic(id, h)
	}
	switch {
	case known != nil:
		return known, h.admit(known)
	case h.Joins():
		return &member{id: id}, nil
	}
	return nil, membership.Unknown(id, g.ID)
}

// findStatic is find for a static member. One that joins takes the place of the one
// that left for now.
func (s *step) findStatic(id string, h *Heartbeat) (*member, error) {
	g, instance := s.g, *h.InstanceID
	old := g.Member[g.static[instance]]
	switch {
	case h.Joins() && old == nil:
		if known := g.Member[id]; known != nil {
			return known, nil
		}
		return &member{id: id}, nil
	case h.Joins():
		if old.id == id && old.Epoch != membership.LeftForNow {
			return old, nil
		}
		// Two processes with one instance id: the one that is there stays, and the other
		// learns of the mistake. Members of the classic protocol never say that they
		// leave for now, so those are replaced.
		if old.classic == nil && old.Epoch != membership.LeftForNow {
			return nil, group.Refuse(kerr.UnreleasedInstanceID, fmt.Sprintf("Static member %s with instance id %s cannot join the group because the instance id is owned by %s member.", id, instance, old.id))
		}
		return s.replace(old, id), nil
	case old == nil:
		return nil, group.Refuse(kerr.UnknownMemberID, "Instance id "+instance+" is unknown.")
	case old.id != id:
		return nil, group.Refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", id, instance, old.id))
	}
	return old, h.admit(old)
}

// replace gives a static member's place to one with another id.
func (s *step) replace(old *member, id string) *member {
	m := old.clone()
	// It begins anew with what the old one had: nobody has to give anything back, and
	// the target, which is of the instance, stays.
	m.id, m.Progress = id, membership.Progress{}
	if old.id != id {
		s.Remove(old.id)
		s.replaced[id] = old.id
		target := s.g.Target[old.id]
		s.Add(s.g.Record(group.ConsumerMemberTarget, id, membership.AssignmentSchema(&target)))
	}
	s.give(m)
	return m
}

// admit fences a member that isn't where the group believes it to be. One whose
// last answer got lost may not claim partitions that it was not given.
func (h *Heartbeat) admit(m *member) error {
	return m.Admit(h.Kind(), h.MemberEpoch, func() bool { return h.ownsOnly(m.assigned) })
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
func (s *step) reconcile(m *member, reported assignor.Assignment, c membership.Change) *member {
	next := reconcile(m, goal{
		epoch: max(membership.First-1, s.TargetAt), target: s.target(m.id), subscribed: s.subscribed(m), shrunk: c == membership.Changed, reported: reported,
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
	now, ss := s.Env.Now, s.g.Sessions.Of(m.id)
	ss.Expires = now.Add(m.sessionTimeout(s.Env))
	if m.classic != nil {
		ss.RevokeBy = now.Add(m.rebalance) // to ask for its assignment
		return
	}
	ss.Revoke(m.Phase, s.Touched(m), now.Add(m.rebalance))
}

// answer tells the member its epoch, and what it should have if that is news to
// it or it told all of itself, as clients do that have lost track.
func (h *Heartbeat) answer(s *step, resp *kmsg.ConsumerGroupHeartbeatResponse, before, m *member) {
	resp.MemberID, resp.MemberEpoch = &m.id, m.Epoch
	resp.HeartbeatIntervalMillis = int32(s.Env.Settings.Consumer.HeartbeatInterval.Milliseconds())
	// A full request is how a client says that it doesn't know where it is.
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
	m := g.Member[h.MemberID]
	if h.InstanceID != nil {
		old := g.Member[g.static[*h.InstanceID]]
		switch {
		case old == nil:
			return group.Refuse(kerr.UnknownMemberID, "Instance id "+*h.InstanceID+" is unknown.")
		case old.id != h.MemberID:
			return group.Refuse(kerr.FencedInstanceID, fmt.Sprintf("Static member %s with instance id %s was fenced by member %s.", h.MemberID, *h.InstanceID, old.id))
		}
		m = old
	}
	if m == nil {
		return membership.Unknown(h.MemberID, g.ID)
	}
	if h.MemberEpoch == membership.Leaving {
		s.fence(m.id)
		return nil
	}
	// It has closed all: what it was to give back is free. What it should have stays
	// its own until its session ends, so that a restart moves nothing (KIP-345).
	c := m.clone()
	c.Epoch, c.pending = membership.LeftForNow, nil
	s.give(c)
	g.Sessions.Of(c.id).RevokeBy = time.Time{}
	return nil
}
