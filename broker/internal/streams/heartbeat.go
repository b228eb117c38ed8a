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
	"github.com/leatstream/leat/broker/internal/membership"
)

// Heartbeat is a StreamsGroupHeartbeat request and who sent it.
type Heartbeat struct {
	*kmsg.StreamsGroupHeartbeatRequest
	Client group.Client
}

// GroupID is the group's name.
func (h *Heartbeat) GroupID() string { return h.Group }

// Kind is Streams.
func (h *Heartbeat) Kind() group.Kind { return group.Streams }

// Joins says that the request asks for a new member.
func (h *Heartbeat) Joins() bool { return h.MemberEpoch == membership.Joining }

// NotFound is the error for a group that isn't there, or is of another kind.
func (h *Heartbeat) NotFound(env group.Env) error {
	return group.NotFound(env, h.Kind(), h.Group, h.MemberEpoch)
}

// Heartbeat handles a member's request: to join, to go on, or to leave.
func (g *Group) Heartbeat(env group.Env, call group.Call, h *Heartbeat) group.Effects {
	s := g.begin(env)
	resp := h.ResponseKind().(*kmsg.StreamsGroupHeartbeatResponse)
	err := h.check()
	if err == nil {
		err = s.heartbeat(h, resp)
	}
	return group.Answer(call, h, s.Effects, resp, err)
}

func (s *step) heartbeat(h *Heartbeat, resp *kmsg.StreamsGroupHeartbeatResponse) error {
	g := s.g
	if h.MemberEpoch == membership.Leaving {
		if g.Member[h.MemberID] == nil {
			return membership.Unknown(h.MemberID, g.ID)
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
	// Whatever a member tells anew may change assignments: where its process runs, and
	// which clients are there.
	c := membership.Unchanged
	if known := g.Member[m.id]; known == nil || !m.sameMetadata(known) {
		s.tell(m)
		c = membership.Changed
	}
	// The first members of an application that starts come one after the other. They
	// wait for each other, or the first would get all tasks and give most of them back.
	if len(g.Member) == 0 && s.Env.Settings.StreamsInitialDelay > 0 && g.delayedUntil.IsZero() {
		g.delayedUntil = s.Env.Now.Add(s.Env.Settings.StreamsInitialDelay)
	}
	s.configure(c)
	s.assign()
	m = s.reconcile(m, h.reported())
	s.keepAlive(m)
	if h.ShutdownApplication { // all learn of it with their next heartbeat
		g.shutdownBy = m.id
	}
	s.answer(h, resp, before, m)
	return nil
}

// check refuses requests that contradict themselves, and what isn't served: neither
// does Kafka 4.3. The texts are Kafka's, which users search for.
func (h *Heartbeat) check() error {
	invalid := func(why string) error { return group.Refuse(kerr.InvalidRequest, why) }
	told := 0 // null lists are as before, so all of them are null or none
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
	case h.MemberEpoch < membership.Leaving:
		return invalid(fmt.Sprintf("MemberEpoch is %d, but must be greater than or equal to -2.", h.MemberEpoch))
	case h.MemberEpoch == membership.Joining && h.RebalanceTimeoutMillis == -1:
		return invalid("RebalanceTimeoutMs must be provided in first request.")
	case h.MemberEpoch == membership.Joining && len(h.ActiveTasks)+len(h.StandbyTasks)+len(h.WarmupTasks) > 0:
		return invalid("Tasks must be empty when (re-)joining.")
	case h.MemberEpoch == membership.Joining && h.Topology == nil:
		return invalid("Topology must be non-null when (re-)joining.")
	case h.MemberEpoch != membership.Joining && h.Topology != nil:
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
	m := g.Member[h.MemberID]
	switch {
	case m != nil:
		return m, h.admit(m)
	case !h.Joins():
		return nil, membership.Unknown(h.MemberID, g.ID)
	case len(g.Member) >= s.Env.MaxMembers:
		return nil, membership.Full(h.Kind(), s.Env.MaxMembers)
	}
	return newMember(h.MemberID), nil
}

// admit fences a member that isn't where the group believes it to be. One whose
// last answer got lost may not claim tasks that it was not given.
func (h *Heartbeat) admit(m *member) error {
	return m.Admit(h.Kind(), h.MemberEpoch, func() bool {
		has := h.reported()
		return has != nil && within(*has, m.assigned)
	})
}

// within says whether all tasks of a are in b, in the same role.
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
		// Clients keep tags in a map: their order is no news.
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
		return slices.DeleteFunc(s.All(), func(o *member) bool { return o.id == m.id })
	}
	next := reconcile(m, goal{epoch: s.TargetAt, target: s.Target(m.id), reported: reported, others: others})
	if next == m || next.sameState(m) {
		return m
	}
	s.give(next)
	return next
}

// keepAlive sets the member's time limits.
func (s *step) keepAlive(m *member) {
	ss := s.g.Sessions.Of(m.id)
	ss.Expires = s.Env.Now.Add(s.Env.Settings.Streams.SessionTimeout)
	ss.Revoke(m.Phase, s.Touched(m), s.Env.Now.Add(m.rebalance))
}

// answer tells the member its epoch, its tasks if they are news to it, and what
// keeps the group from working.
func (s *step) answer(h *Heartbeat, resp *kmsg.StreamsGroupHeartbeatResponse, before, m *member) {
	g := s.g
	resp.MemberID, resp.MemberEpoch = m.id, m.Epoch
	resp.HeartbeatIntervalMillis = int32(s.Env.Settings.Streams.HeartbeatInterval.Milliseconds())
	if h.Joins() || !m.assigned.Equal(before.assigned) {
		resp.ActiveTasks, resp.StandbyTasks, resp.WarmupTasks = idsOf(m.assigned.Active), idsOf(m.assigned.Standby), idsOf(m.assigned.Warmup)
		// Where partitions are has changed, as far as anybody can ask. The epoch isn't
		// stored: after a restart it begins anew, which clients take for a change.
		if m.endpoint != nil {
			g.endpoints++
		}
	}
	if g.endpoints != h.EndpointInformationEpoch {
		resp.PartitionsByUserEndpoint = s.whereabouts()
	}
	if g.Epoch > 0 { // a group that is only being made has none yet
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

// idsOf is tasks as responses tell them. None is an empty list: null would be as
// before.
func idsOf(t assignor.Tasks) []kmsg.TaskIDs {
	ids := []kmsg.TaskIDs{}
	for _, name := range t.Names() {
		ids = append(ids, kmsg.TaskIDs{SubtopologyID: name, Partitions: slices.Clone(t[name])})
	}
	return ids
}
