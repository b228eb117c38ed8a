package sharegroup

import (
	"fmt"
	"slices"

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

// Heartbeat is a ShareGroupHeartbeat request and who sent it.
type Heartbeat struct {
	*kmsg.ShareGroupHeartbeatRequest
	Client group.Client
}

// Joins says that the request asks for a new member.
func (h *Heartbeat) Joins() bool { return h.MemberEpoch == joining }

// Heartbeat handles a member's request: to join, to go on, or to leave.
func (g *Group) Heartbeat(env group.Env, call group.Call, h *Heartbeat) group.Effects {
	s := g.begin(env)
	resp := h.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
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
	resp := h.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
	resp.ErrorCode, resp.ErrorMessage = group.Refusal(err)
	e.Reply(call, resp)
	return e
}

// NotFound is the error for a group that isn't there or is of another kind; what
// the request itself has wrong comes first.
func NotFound(h *Heartbeat) error {
	if err := h.check(); err != nil {
		return err
	}
	return group.Refuse(kerr.GroupIDNotFound, "Group "+h.GroupID+" is not a share group.")
}

// check refuses requests that contradict themselves.
func (h *Heartbeat) check() error {
	invalid := func(why string) error { return group.Refuse(kerr.InvalidRequest, why) }
	switch {
	case h.MemberID == "":
		return invalid("MemberId can't be empty.")
	case h.GroupID == "":
		return invalid("GroupId can't be empty.")
	case h.RackID != nil && *h.RackID == "":
		return invalid("RackId can't be empty.")
	case h.Joins() && len(h.SubscribedTopicNames) == 0:
		return invalid("SubscribedTopicNames must be set in first request.")
	case h.MemberEpoch < leaving:
		return invalid("MemberEpoch is invalid.")
	}
	return nil
}

func (s *step) heartbeat(h *Heartbeat, resp *kmsg.ShareGroupHeartbeatResponse) error {
	known := s.g.members[h.MemberID]
	resp.MemberID, resp.MemberEpoch = &h.MemberID, h.MemberEpoch
	if h.MemberEpoch == leaving {
		if known == nil {
			return s.unknown(h)
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
	c := unchanged
	if known == nil || !m.sameMetadata(known) {
		s.add(s.g.record(group.ShareMember, m.id, m.metadataSchema))
		s.members[m.id] = m
		c = change(known == nil || !slices.Equal(m.topics, known.topics))
	}
	s.newcomer = known == nil
	s.refresh(c)
	s.assign()
	m = s.give(m)
	s.g.expires[m.id] = s.env.Now.Add(s.env.Settings.Share.SessionTimeout)
	resp.MemberEpoch = m.epoch
	resp.HeartbeatIntervalMillis = int32(s.env.Settings.Share.HeartbeatInterval.Milliseconds())
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

func (s *step) unknown(h *Heartbeat) error {
	return group.Refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", h.MemberID, s.g.id))
}

// find returns the member that sent the request, or a new one, and checks its
// epoch: one whose last answer got lost may come with the epoch before.
func (s *step) find(h *Heartbeat, known *member) (*member, error) {
	switch {
	case known == nil && len(s.g.members) >= s.env.MaxMembers:
		return nil, group.Refuse(kerr.GroupMaxSizeReached, fmt.Sprintf("The share group has reached its maximum capacity of %d members.", s.env.MaxMembers))
	case known == nil && h.Joins():
		return &member{id: h.MemberID}, nil
	case known == nil:
		return nil, s.unknown(h)
	case h.Joins(), h.MemberEpoch == known.epoch, h.MemberEpoch == known.previous:
		return known, nil
	}
	which := "smaller"
	if h.MemberEpoch > known.epoch {
		which = "greater"
	}
	return nil, group.Refuse(kerr.FencedMemberEpoch, fmt.Sprintf(
		"The share group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.",
		which, h.MemberEpoch, known.epoch))
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
