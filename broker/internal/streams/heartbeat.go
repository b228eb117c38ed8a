package streams

import (
	"cmp"
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

// Heartbeat is a StreamsGroupHeartbeat request and who sent it.
type Heartbeat struct {
	*kmsg.StreamsGroupHeartbeatRequest
	Client group.Client
}

// Joins says that the request asks for a new member.
func (h *Heartbeat) Joins() bool { return h.MemberEpoch == joining }

// Heartbeat handles a member's request: to join, to go on, or to leave.
func (g *Group) Heartbeat(env group.Env, call group.Call, h *Heartbeat) group.Effects {
	s := g.begin(env)
	resp := h.ResponseKind().(*kmsg.StreamsGroupHeartbeatResponse)
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
	resp := h.ResponseKind().(*kmsg.StreamsGroupHeartbeatResponse)
	resp.ErrorCode, resp.ErrorMessage = group.Refusal(err)
	e.Reply(call, resp)
	return e
}

// NotFound is the error for a group that isn't there, or is of another kind.
func NotFound(env group.Env, h *Heartbeat) error {
	if !env.Known && h.MemberEpoch >= joining {
		return group.Refuse(kerr.GroupIDNotFound, "Streams group "+h.Group+" not found.")
	}
	return group.NotFound(env, h.Group, group.Streams.String())
}

func (s *step) heartbeat(h *Heartbeat, resp *kmsg.StreamsGroupHeartbeatResponse) error {
	g := s.g
	if h.MemberEpoch == leaving {
		if g.members[h.MemberID] == nil {
			return unknown(h.MemberID, g.id)
		}
		resp.MemberID, resp.MemberEpoch = h.MemberID, h.MemberEpoch
		s.fence(h.MemberID)
		return nil
	}
	before, err := s.find(h)
	if err != nil {
		return err
	}
	var t *topology
	if h.Topology != nil {
		if t, err = topologyOf(h.Topology); err != nil {
			return err
		}
	}
	m := before.clone()
	h.update(m)
	if err := s.adopt(m, t); err != nil {
		return err
	}
	if err := h.checkTasks(s.topology); err != nil {
		return err
	}
	c := unchanged
	if known := g.members[m.id]; known == nil || !m.sameMetadata(known) {
		s.tell(m)
		c = changed
	}
	if len(g.members) == 0 && s.env.Settings.StreamsInitialDelay > 0 && g.delayedUntil.IsZero() {
		g.delayedUntil = s.env.Now.Add(s.env.Settings.StreamsInitialDelay)
	}
	s.configure(c)
	s.assign()
	m = s.reconcile(m, h.reported())
	s.keepAlive(m)
	if h.ShutdownApplication {
		g.shutdownBy = m.id
	}
	s.answer(h, resp, before, m)
	return nil
}

func unknown(id, groupID string) error {
	return group.Refuse(kerr.UnknownMemberID, fmt.Sprintf("Member %s is not a member of group %s.", id, groupID))
}

// check refuses requests that contradict themselves, and what isn't served: neither
// does Kafka 4.3.
func (h *Heartbeat) check() error {
	invalid := func(why string) error { return group.Refuse(kerr.InvalidRequest, why) }
	told := 0
	for _, t := range [][]kmsg.TaskIDs{h.ActiveTasks, h.StandbyTasks, h.WarmupTasks} {
		if t != nil {
			told++
		}
	}
	switch {
	case h.MemberID == "":
		return invalid("MemberId can't be empty.")
	case h.Group == "":
		return invalid("GroupId can't be empty.")
	case h.InstanceID != nil:
		return invalid("Static membership is not yet supported.")
	case h.RackID != nil && *h.RackID == "":
		return invalid("RackId can't be empty.")
	case h.MemberEpoch < leaving:
		return invalid(fmt.Sprintf("MemberEpoch is %d, but must be greater than or equal to -2.", h.MemberEpoch))
	case h.MemberEpoch == joining && h.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case h.MemberEpoch == joining && len(h.ActiveTasks)+len(h.StandbyTasks)+len(h.WarmupTasks) > 0:
		return invalid("Tasks must be empty when (re-)joining.")
	case h.MemberEpoch == joining && h.Topology == nil:
		return invalid("Topology must be non-null when (re-)joining.")
	case h.MemberEpoch != joining && h.Topology != nil:
		return invalid("Topology can only be provided when (re-)joining.")
	case told != 0 && told != 3:
		return invalid("If one task-type is non-null, all must be non-null.")
	case len(h.WarmupTasks) > 0:
		return invalid("WarmupTasks are not supported yet.")
	}
	return nil
}

// checkTasks refuses tasks of sub-topologies that there are not.
func (h *Heartbeat) checkTasks(t *topology) error {
	for _, list := range [][]kmsg.TaskIDs{h.ActiveTasks, h.StandbyTasks} {
		for _, ids := range list {
			if !slices.ContainsFunc(t.subs, func(s subtopology) bool { return s.name == ids.SubtopologyID }) {
				return group.Refuse(kerr.InvalidRequest, "Subtopology "+ids.SubtopologyID+" does not exist in the topology.")
			}
		}
	}
	return nil
}

// find returns the member that sent the request, or a new one, and checks its
// epoch.
func (s *step) find(h *Heartbeat) (*member, error) {
	g := s.g
	m := g.members[h.MemberID]
	switch {
	case m != nil:
		return m, h.checkEpoch(m)
	case !h.Joins():
		return nil, unknown(h.MemberID, g.id)
	case len(g.members) >= s.env.MaxMembers:
		return nil, group.Refuse(kerr.GroupMaxSizeReached, fmt.Sprintf("The streams group has reached its maximum capacity of %d members.", s.env.MaxMembers))
	}
	return newMember(h.MemberID), nil
}

// checkEpoch fences a member that isn't where the group believes it to be. One
// whose last answer got lost may come with the epoch before, if it doesn't claim
// tasks that it was not given.
func (h *Heartbeat) checkEpoch(m *member) error {
	which := "greater"
	switch {
	case h.MemberEpoch == m.epoch, h.Joins():
		return nil
	case h.MemberEpoch < m.epoch:
		if has := h.reported(); h.MemberEpoch == m.previous && has != nil && within(*has, m.assigned) {
			return nil
		}
		which = "smaller"
	}
	return group.Refuse(kerr.FencedMemberEpoch, fmt.Sprintf(
		"The streams group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must abandon all its partitions and rejoin.",
		which, h.MemberEpoch, m.epoch))
}

// within says whether all tasks of a are in b.
func within(a, b assignor.Roles) bool {
	all := roles(&b)
	for i, t := range roles(&a) {
		for name, ps := range *t {
			if slices.ContainsFunc(ps, func(p int32) bool { return !all[i].Has(name, p) }) {
				return false
			}
		}
	}
	return true
}

// update takes into the member what the request tells of it. Null is as before.
func (h *Heartbeat) update(m *member) {
	m.client = h.Client
	if h.RackID != nil {
		m.rack = h.RackID
	}
	if h.RebalanceTimeoutMillis != -1 {
		m.rebalance = time.Duration(h.RebalanceTimeoutMillis) * time.Millisecond
	}
	if h.Topology != nil {
		m.topologyEpoch = h.Topology.Epoch
	}
	if h.ProcessID != nil {
		m.process = *h.ProcessID
	}
	if h.UserEndpoint != nil {
		m.endpoint = &endpoint{h.UserEndpoint.Host, h.UserEndpoint.Port}
	}
	if h.ClientTags != nil {
		m.tags = nil
		for _, t := range h.ClientTags {
			m.tags = append(m.tags, keyValue{t.Key, t.Value})
		}
		slices.SortFunc(m.tags, func(a, b keyValue) int { return cmp.Compare(a.key, b.key) })
	}
}

// reported is what a member says it has; nil if it says nothing.
func (h *Heartbeat) reported() *assignor.Roles {
	if h.ActiveTasks == nil {
		return nil
	}
	r := noTasks()
	all := roles(&r)
	for i, list := range [][]kmsg.TaskIDs{h.ActiveTasks, h.StandbyTasks, h.WarmupTasks} {
		for _, ids := range list {
			for _, p := range ids.Partitions {
				insert(*all[i], ids.SubtopologyID, p)
			}
		}
	}
	return &r
}

// reconcile brings the member nearer to its target.
func (s *step) reconcile(m *member, reported *assignor.Roles) *member {
	others := func() []*member {
		return slices.DeleteFunc(s.all(), func(o *member) bool { return o.id == m.id })
	}
	next := reconcile(m, goal{epoch: s.targetAt, target: s.target(m.id), reported: reported, others: others})
	if next == m || next.sameState(m) {
		return m
	}
	s.give(next)
	return next
}

// keepAlive sets the member's time limits.
func (s *step) keepAlive(m *member) {
	ss := s.g.session(m.id)
	ss.expires = s.env.Now.Add(s.env.Settings.Streams.SessionTimeout)
	switch {
	case m.phase != revoking:
		ss.revokeBy = time.Time{}
	case ss.revokeBy.IsZero() || s.members[m.id] == m:
		ss.revokeBy = s.env.Now.Add(m.rebalance)
	}
}

// answer tells the member its epoch, its tasks if they are news to it, and what
// keeps the group from working.
func (s *step) answer(h *Heartbeat, resp *kmsg.StreamsGroupHeartbeatResponse, before, m *member) {
	g := s.g
	resp.MemberID, resp.MemberEpoch = m.id, m.epoch
	resp.HeartbeatIntervalMillis = int32(s.env.Settings.Streams.HeartbeatInterval.Milliseconds())
	if h.Joins() || !m.assigned.Equal(before.assigned) {
		resp.ActiveTasks, resp.StandbyTasks, resp.WarmupTasks = idsOf(m.assigned.Active), idsOf(m.assigned.Standby), idsOf(m.assigned.Warmup)
		if m.endpoint != nil {
			g.endpoints++
		}
	}
	if g.endpoints != h.EndpointInformationEpoch {
		resp.PartitionsByUserEndpoint = s.whereabouts()
	}
	if g.epoch > 0 { // a group that is only being made has none yet
		resp.EndpointInformationEpoch = g.endpoints
	}
	if g.shutdownBy != "" {
		s.say(statusf(shutdownApplication, "Streams group member %s encountered a fatal error and requested a shutdown for the entire application.", g.shutdownBy))
	}
	resp.Status = []kmsg.StreamsGroupHeartbeatResponseStatus{}
	for _, st := range s.statuses {
		resp.Status = append(resp.Status, kmsg.StreamsGroupHeartbeatResponseStatus{StatusCode: st.code, StatusDetail: st.detail})
	}
}

func idsOf(t assignor.Tasks) []kmsg.TaskIDs {
	ids := []kmsg.TaskIDs{}
	for _, name := range t.Names() {
		ids = append(ids, kmsg.TaskIDs{SubtopologyID: name, Partitions: slices.Clone(t[name])})
	}
	return ids
}
