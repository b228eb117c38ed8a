package sharegroup

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Heartbeat is a ShareGroupHeartbeat request and who sent it.
type Heartbeat struct {
	*kmsg.ShareGroupHeartbeatRequest
	Client group.Client
}

// GroupID is the group's name.
func (h *Heartbeat) GroupID() string { return h.ShareGroupHeartbeatRequest.GroupID }

// Kind is Share.
func (h *Heartbeat) Kind() group.Kind { return group.Share }

// Joins says that the request asks for a new member.
func (h *Heartbeat) Joins() bool { return h.MemberEpoch == membership.Joining }

// NotFound is the error for a group that isn't there or is of another kind; what
// the request itself has wrong comes first. Kafka tells the two apart in its
// answers to other kinds only.
func (h *Heartbeat) NotFound(env group.Env) error {
	if err := h.check(); err != nil {
		return err
	}
	env.Known = true
	return group.NotFound(env, h.Kind(), h.GroupID(), h.MemberEpoch)
}

// Heartbeat handles a member's request: to join, to go on, or to leave.
func (g *Group) Heartbeat(env group.Env, call group.Call, h *Heartbeat) group.Effects {
	s := g.begin(env)
	resp := h.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
	err := h.check()
	if err == nil {
		err = s.heartbeat(h, resp)
	}
	return group.Answer(call, h, s.Effects, resp, err)
}

// check refuses requests that contradict themselves.
func (h *Heartbeat) check() error {
	invalid := func(why string) error { return group.Refuse(kerr.InvalidRequest, why) }
	switch {
	case h.MemberID == "":
		return invalid("MemberId can't be empty.")
	case h.GroupID() == "":
		return invalid("GroupId can't be empty.")
	case h.RackID != nil && *h.RackID == "":
		return invalid("RackId can't be empty.")
	case h.Joins() && len(h.SubscribedTopicNames) == 0:
		return invalid("SubscribedTopicNames must be set in first request.")
	case h.MemberEpoch < membership.Leaving:
		return invalid("MemberEpoch is invalid.")
	}
	return nil
}

func (s *step) heartbeat(h *Heartbeat, resp *kmsg.ShareGroupHeartbeatResponse) error {
	known := s.g.Member[h.MemberID]
	resp.MemberID, resp.MemberEpoch = &h.MemberID, h.MemberEpoch
	if h.MemberEpoch == membership.Leaving {
		if known == nil {
			return membership.Unknown(h.MemberID, s.g.ID)
		}
		s.fence(known.id)
		return nil
	}
	m, err := s.find(h, known)
	if err != nil {
		return err
	}
	before := m
	m = m.clone()
	h.update(m)
	c := membership.Unchanged
	if known == nil || !m.sameMetadata(known) {
		s.Tell(m, m.metadataSchema)
		c = membership.ChangedIf(known == nil || !slices.Equal(m.topics, known.topics))
	}
	s.newcomer = known == nil
	s.refresh(c)
	s.assign()
	m = s.give(m)
	s.g.Sessions.Of(m.id).Expires = s.Env.Now.Add(s.Env.Settings.Share.SessionTimeout)
	resp.MemberEpoch = m.Epoch
	resp.HeartbeatIntervalMillis = int32(s.Env.Settings.Share.HeartbeatInterval.Milliseconds())
	// What a member should have is told if that is news to it, or if it told all of
	// itself, as clients do that have lost track.
	if h.Joins() || h.SubscribedTopicNames != nil || !m.assigned.Equal(before.assigned) {
		resp.Assignment = answerOf(m.assigned)
	}
	return nil
}

func answerOf(assigned assignor.Assignment) *kmsg.ShareGroupHeartbeatResponseAssignment {
	a := &kmsg.ShareGroupHeartbeatResponseAssignment{}
	for _, id := range assigned.IDs() {
		a.TopicPartitions = append(a.TopicPartitions, kmsg.ShareGroupHeartbeatResponseAssignmentTopicPartition{TopicID: id, Partitions: assigned[id]})
	}
	return a
}

// find returns the member that sent the request, or a new one, and checks its
// epoch. One whose last answer got lost does no harm with what it doesn't have any
// more.
func (s *step) find(h *Heartbeat, known *member) (*member, error) {
	switch {
	case known == nil && len(s.g.Member) >= s.Env.MaxMembers:
		return nil, membership.Full(h.Kind(), s.Env.MaxMembers)
	case known == nil && h.Joins():
		return &member{id: h.MemberID}, nil
	case known == nil:
		return nil, membership.Unknown(h.MemberID, s.g.ID)
	}
	return known, known.Admit(h.Kind(), h.MemberEpoch, func() bool { return true })
}

// update takes into the member what the request tells of it. Null is as before.
func (h *Heartbeat) update(m *member) {
	m.client = h.Client
	if h.RackID != nil {
		m.rack = h.RackID
	}
	if h.SubscribedTopicNames != nil {
		m.topics = slices.Compact(slices.Sorted(slices.Values(h.SubscribedTopicNames)))
	}
}

func (m *member) sameMetadata(o *member) bool {
	same := m.rack == o.rack || m.rack != nil && o.rack != nil && *m.rack == *o.rack
	return same && m.client == o.client && slices.Equal(m.topics, o.topics)
}
