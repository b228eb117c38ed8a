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

// Members that speak the classic protocol may be in the group, while an
// application goes from one protocol to the other. Nobody of them leads: each joins
// to tell what it wants and has, which is a heartbeat, and asks by SyncGroup for
// what it should have. A heartbeat tells it to join again.

// protocolType is that of consumers, in the classic protocol.
const protocolType = "consumer"

// Join handles a JoinGroup request. The answer doesn't wait for others.
func (g *Group) Join(env group.Env, call group.Call, r *kmsg.JoinGroupRequest, from group.Client) group.Effects {
	s := g.begin(env)
	resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.MemberID = r.MemberID
	if err := s.join(r, resp, from); err != nil {
		s.Effects = group.Effects{}
		resp.ErrorCode, _ = group.Refusal(err)
		resp.Generation = -1
		if r.Version < 7 {
			resp.Protocol = kmsg.StringPtr("")
		}
	}
	s.Effects.Reply(call, resp)
	return s.Effects
}

func (s *step) join(r *kmsg.JoinGroupRequest, resp *kmsg.JoinGroupResponse, from group.Client) error {
	g := s.g
	known := g.Member[r.MemberID]
	switch {
	case known == nil && len(g.Member) >= s.Env.MaxMembers:
		return group.Refuse(kerr.GroupMaxSizeReached, "The consumer group is full.")
	case r.ProtocolType != protocolType || !g.speaks(r):
		return group.Refuse(kerr.InconsistentGroupProtocol, "The member's protocols are not supported.")
	}
	// A client that gets no answer would else come as one more member each time, so
	// it is given its id before it is one (KIP-394). A static member has a name.
	if r.MemberID == "" {
		resp.MemberID = s.Env.NewID()
		if r.InstanceID == nil && r.Version >= 4 {
			return group.Refuse(kerr.MemberIDRequired, "The member must come again with its id.")
		}
	}
	var sub kmsg.ConsumerMemberMetadata
	if err := sub.ReadFrom(r.Protocols[0].Metadata); err != nil {
		return group.Refuse(kerr.InconsistentGroupProtocol, "The member's subscription can't be read.")
	}
	before, err := s.findClassic(r, resp.MemberID)
	if err != nil {
		return err
	}
	m := before.clone()
	m.client, m.instance, m.rack, m.regex, m.assignor = from, r.InstanceID, sub.Rack, "", nil
	m.topics = slices.Compact(slices.Sorted(slices.Values(sub.Topics)))
	m.rebalance = time.Duration(r.RebalanceTimeoutMillis) * time.Millisecond
	m.classic = classicOf(time.Duration(r.SessionTimeoutMillis)*time.Millisecond, r.Protocols)
	if r.Version < 1 { // there was one time-out for both
		m.rebalance = m.classic.session
	}
	c := membership.Unchanged
	if now := g.Member[m.id]; now == nil || !m.sameMetadata(now) || s.replaced[m.id] != "" {
		s.tell(m)
		c = membership.ChangedIf(!m.sameSubscription(before))
	}
	s.refresh(c)
	s.assign()
	m = s.reconcile(m, s.ownedNow(sub), c)
	s.keepAlive(m)
	resp.MemberID, resp.Generation = m.id, m.Epoch
	resp.ProtocolType, resp.Protocol = kmsg.StringPtr(protocolType), &m.classic.protocols[0].name
	return nil
}

// findClassic returns the member that sent the request, or a new one.
func (s *step) findClassic(r *kmsg.JoinGroupRequest, id string) (*member, error) {
	g := s.g
	if r.InstanceID != nil {
		old := g.Member[g.static[*r.InstanceID]]
		switch {
		case old != nil && r.MemberID == "":
			return s.replace(old, id), nil
		case old != nil && old.id != id:
			return nil, group.Refuse(kerr.FencedInstanceID, "The instance id belongs to another member.")
		case old == nil && r.MemberID != "":
			return nil, group.Refuse(kerr.UnknownMemberID, "Nobody has the instance id.")
		}
	}
	if m := g.Member[id]; m != nil {
		return m, nil
	}
	return &member{id: id}, nil
}

// speaks says whether the member has a protocol that all who speak the classic
// protocol have: if those of the other protocol leave, they have to agree on one.
func (g *Group) speaks(r *kmsg.JoinGroupRequest) bool {
	return slices.ContainsFunc(r.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool {
		for _, m := range g.Member {
			if m.classic != nil && m.id != r.MemberID && !m.classic.has(p.Name) {
				return false
			}
		}
		return true
	})
}

func (c *classic) has(name string) bool {
	return slices.ContainsFunc(c.protocols, func(p protocol) bool { return p.name == name })
}

func classicOf(session time.Duration, protocols []kmsg.JoinGroupRequestProtocol) *classic {
	c := &classic{session: session}
	for _, p := range protocols {
		c.protocols = append(c.protocols, protocol{p.Name, p.Metadata})
	}
	return c
}

// ownedNow is what a subscription says that its member has. Members that give all
// back before they join have nothing.
func (s *step) ownedNow(sub kmsg.ConsumerMemberMetadata) assignor.Assignment {
	a := assignor.Assignment{}
	for _, o := range sub.OwnedPartitions {
		if t, ok := s.Env.Topics.Topic(o.Topic); ok {
			a[t.ID] = append(a[t.ID], o.Partitions...)
		}
	}
	return a
}

// speaker finds the member of a request of the classic protocol.
func (g *Group) speaker(id string, instance *string, generation int32) (*member, int16) {
	if instance != nil {
		current, ok := g.static[*instance]
		switch {
		case !ok:
			return nil, kerr.UnknownMemberID.Code
		case current != id:
			return nil, kerr.FencedInstanceID.Code
		}
	}
	m := g.Member[id]
	switch {
	case m == nil || m.classic == nil:
		return nil, kerr.UnknownMemberID.Code
	case m.Epoch != generation:
		return nil, kerr.IllegalGeneration.Code
	}
	return m, 0
}

// Sync handles a SyncGroup request: the member asks what it should have.
func (g *Group) Sync(env group.Env, call group.Call, r *kmsg.SyncGroupRequest) group.Effects {
	var e group.Effects
	resp := r.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.MemberAssignment = []byte{}
	m, code := g.speaker(r.MemberID, r.InstanceID, r.Generation)
	switch {
	case code != 0:
	case r.Version >= 5 && (r.ProtocolType == nil || *r.ProtocolType != protocolType || r.Protocol == nil || !m.classic.has(*r.Protocol)):
		code = kerr.InconsistentGroupProtocol.Code
	case m.Epoch < g.TargetAt && m.Phase != membership.Revoking: // it was overtaken
		code = kerr.RebalanceInProgress.Code
	default:
		ss := g.Sessions.Of(m.id)
		ss.Expires, ss.RevokeBy = env.Now.Add(m.classic.session), time.Time{}
		resp.ProtocolType, resp.Protocol = kmsg.StringPtr(protocolType), &m.classic.protocols[0].name
		resp.MemberAssignment = m.encoded(env.Topics)
	}
	resp.ErrorCode = code
	e.Reply(call, resp)
	return e
}

// encoded is what the member has, as members of classic groups read it.
func (m *member) encoded(topics group.Topics) []byte {
	// In the version of the member's own subscription: older clients can't read newer.
	var sub kmsg.ConsumerMemberMetadata
	a := kmsg.NewConsumerMemberAssignment()
	if sub.ReadFrom(m.classic.protocols[0].metadata) == nil {
		a.Version = min(sub.Version, 1)
	}
	for _, t := range m.assigned.topics() {
		if known, ok := topics.TopicByID(t.id); ok {
			a.Topics = append(a.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: known.Name, Partitions: t.partitions})
		}
	}
	return a.AppendTo(nil)
}

// Beat handles a Heartbeat request, and tells the member when it has to join.
func (g *Group) Beat(env group.Env, call group.Call, r *kmsg.HeartbeatRequest) group.Effects {
	var e group.Effects
	resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
	m, code := g.speaker(r.MemberID, r.InstanceID, r.Generation)
	if code == 0 {
		ss := g.Sessions.Of(m.id)
		ss.Expires = env.Now.Add(m.classic.session)
		if g.shouldJoin(env, m) {
			code = kerr.RebalanceInProgress.Code
			// From the first time it was told; heartbeats go on while it doesn't join.
			if ss.RevokeBy.IsZero() {
				ss.RevokeBy = env.Now.Add(m.rebalance)
			}
		}
	}
	resp.ErrorCode = code
	e.Reply(call, resp)
	return e
}

// shouldJoin says whether something waits for the member, or the group for it: a
// new target, partitions that it has to give back, or that have become free. A
// target that is due counts, too: it is computed by who joins next, and there may be
// nobody left but members that speak the classic protocol. (Kafka waits for a
// heartbeat of the other kind, which then never comes.)
func (g *Group) shouldJoin(env group.Env, m *member) bool {
	switch {
	case m.Epoch < g.TargetAt, m.Phase == membership.Revoking, g.Epoch > g.TargetAt && g.begin(env).due():
		return true
	case m.Phase != membership.Releasing:
		return false
	}
	// It would come in vain while one of its partitions isn't free.
	for id, ps := range g.Target[m.id] {
		for _, p := range ps {
			if !m.assigned.has(id, p) && g.owners[partition{id, p}] != "" {
				return false
			}
		}
	}
	return true
}

// Leave handles a LeaveGroup request: a member of the classic protocol leaves, or
// an administrator removes members of either.
func (g *Group) Leave(env group.Env, call group.Call, r *kmsg.LeaveGroupRequest) group.Effects {
	s := g.begin(env)
	resp := r.ResponseKind().(*kmsg.LeaveGroupResponse)
	members := r.Members
	if r.Version < 3 {
		members = []kmsg.LeaveGroupRequestMember{{MemberID: r.MemberID}}
	}
	var gone []string
	for _, lm := range members {
		id, code := g.leaver(lm)
		if code == 0 && !slices.Contains(gone, id) {
			gone = append(gone, id)
		}
		if r.Version < 3 {
			resp.ErrorCode = code
			continue
		}
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ErrorCode = lm.MemberID, lm.InstanceID, code
		resp.Members = append(resp.Members, rm)
	}
	if len(gone) > 0 {
		s.fence(gone...)
	}
	s.Effects.Reply(call, resp)
	return s.Effects
}

// leaver finds who is to be removed.
func (g *Group) leaver(lm kmsg.LeaveGroupRequestMember) (string, int16) {
	id := lm.MemberID
	if lm.InstanceID != nil {
		current, ok := g.static[*lm.InstanceID]
		switch {
		case !ok:
			return "", kerr.UnknownMemberID.Code
		case id != "" && id != current:
			return "", kerr.FencedInstanceID.Code
		}
		id = current
	}
	if g.Member[id] == nil {
		return "", kerr.UnknownMemberID.Code
	}
	return id, 0
}

// Upgrade makes a membership of a classic group of consumers with members, and the
// records that it takes. Nobody has to give anything back for it.
func Upgrade(env group.Env, g *group.Group) (*Group, []group.Record, error) {
	cannot := func(why string) error {
		return group.Refuse(kerr.GroupIDNotFound, fmt.Sprintf("Cannot upgrade classic group %s to consumer group because %s.", g.ID(), why))
	}
	switch {
	case !env.Migration.Upgrade:
		return nil, nil, cannot("the migration policy doesn't allow it")
	case g.ProtocolType() != protocolType:
		return nil, nil, cannot("the group does not use the consumer embedded protocol")
	}
	s := New(g.ID()).begin(env)
	for _, cm := range g.ClassicMembers() {
		m, err := upgraded(env, g, cm)
		if err != nil {
			return nil, nil, cannot("the embedded consumer protocol is malformed")
		}
		s.tell(m)
		s.give(m)
		target := m.assigned.partitions()
		s.Add(s.g.Record(group.ConsumerMemberTarget, m.id, membership.AssignmentSchema(&target)))
	}
	v := groupValue{epoch: g.Generation()}
	s.Add(s.g.Record(group.ConsumerGroup, "", v.schema), s.g.TargetRecord(v.epoch, 0))
	for _, r := range s.Effects.Records {
		if err := s.g.Apply(r); err != nil {
			return nil, nil, err
		}
	}
	s.g.Resume(env)
	return s.g, s.Effects.Records, nil
}

// upgraded is a member of a classic group as one of a consumer group.
func upgraded(env group.Env, g *group.Group, cm group.ClassicMember) (*member, error) {
	var sub kmsg.ConsumerMemberMetadata
	var a kmsg.ConsumerMemberAssignment
	m := &member{
		id: cm.ID, instance: cm.Instance, client: cm.Client, rebalance: cm.Rebalance, classic: classicOf(cm.Session, cm.Protocols),
		Progress: membership.Progress{Epoch: g.Generation(), Previous: g.Generation()}, assigned: owned{},
	}
	at := max(0, slices.IndexFunc(cm.Protocols, func(p kmsg.JoinGroupRequestProtocol) bool { return p.Name == g.Protocol() }))
	if len(cm.Protocols) == 0 {
		return nil, group.ErrRecord
	}
	if err := sub.ReadFrom(cm.Protocols[at].Metadata); err != nil {
		return nil, err
	}
	if len(cm.Assignment) > 0 {
		if err := a.ReadFrom(cm.Assignment); err != nil {
			return nil, err
		}
	}
	m.rack, m.topics = sub.Rack, slices.Compact(slices.Sorted(slices.Values(sub.Topics)))
	for _, t := range a.Topics {
		if known, ok := env.Topics.Topic(t.Topic); ok {
			for _, p := range t.Partitions {
				m.assigned.add(known.ID, p, m.Epoch)
			}
		}
	}
	return m, nil
}

// downgrade makes a classic group of a group when all who remain speak the classic
// protocol. It reports whether it did.
func (s *step) downgrade(gone []string) bool {
	left := s.All()
	spoke := slices.ContainsFunc(gone, func(id string) bool { m := s.g.Member[id]; return m != nil && m.classic == nil })
	// Only a member that leaves, and was the last of its kind, changes what the group
	// is: one of classic members that is so by its history stays.
	if !s.Env.Migration.Downgrade || len(left) == 0 || !spoke {
		return false
	}
	name := ""
	for i, m := range left {
		if m.classic == nil {
			return false
		}
		if i > 0 { // the first one's order of preference decides
			continue
		}
		for _, p := range m.classic.protocols {
			if name == "" && !slices.ContainsFunc(left, func(o *member) bool { return o.classic == nil || !o.classic.has(p.name) }) {
				name = p.name
			}
		}
	}
	if name == "" {
		return false
	}
	var members []group.ClassicMember
	for _, m := range left {
		cm := group.ClassicMember{ID: m.id, Instance: m.instance, Client: m.client, Session: m.classic.session, Rebalance: m.rebalance, Assignment: m.encoded(s.Env.Topics)}
		for _, p := range m.classic.protocols {
			cm.Protocols = append(cm.Protocols, kmsg.JoinGroupRequestProtocol{Name: p.name, Metadata: p.metadata})
		}
		members = append(members, cm)
	}
	s.Add(s.g.Tombstones()...)
	s.Add(group.ClassicRecord(s.g.ID, s.Env.Now, s.Epoch, name, members))
	s.Effects.Rejoin = true
	return true
}
