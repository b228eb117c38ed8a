package group

import (
	"bytes"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Join handles a JoinGroup request. The answer comes when the rebalance it
// starts, or takes part in, has all members.
func (g *Group) Join(now time.Time, call Call, r *kmsg.JoinGroupRequest, c Client) Effects {
	var e Effects
	if code := g.admit(r); code != 0 {
		e.reply(call, joinError(r, code))
		return e
	}
	if r.MemberID == "" {
		g.joinUnknown(now, call, r, c, &e)
	} else {
		g.joinKnown(now, call, r, c, &e)
	}
	g.maybeCompleteJoin(now, &e)
	return e
}

// admit checks what holds for any joining member.
func (g *Group) admit(r *kmsg.JoinGroupRequest) int16 {
	session := time.Duration(r.SessionTimeoutMillis) * time.Millisecond
	switch {
	case session < g.cfg.MinSessionTimeout || session > g.cfg.MaxSessionTimeout:
		return kerr.InvalidSessionTimeout.Code
	case g.state == Dead:
		return kerr.CoordinatorNotAvailable.Code
	case !g.supports(r.ProtocolType, r.Protocols):
		return kerr.InconsistentGroupProtocol.Code
	}
	known := g.members[r.MemberID] != nil
	if !known && len(g.members)+len(g.pending) >= g.cfg.MaxMembers && g.pending[r.MemberID].IsZero() {
		return kerr.GroupMaxSizeReached.Code
	}
	return 0
}

// joinUnknown handles a join without a member id.
func (g *Group) joinUnknown(now time.Time, call Call, r *kmsg.JoinGroupRequest, c Client, e *Effects) {
	prefix := c.ID
	if r.InstanceID != nil {
		prefix = *r.InstanceID
	}
	id := prefix + "-" + g.cfg.NewID()
	if r.InstanceID != nil {
		if old, ok := g.static[*r.InstanceID]; ok {
			g.replaceStatic(now, call, r, c, g.members[old], id, e)
			return
		}
	} else if r.Version >= 4 {
		// The client must come again with the id, so that a join whose answer is
		// lost leaves no member behind.
		g.pending[id] = now.Add(time.Duration(r.SessionTimeoutMillis) * time.Millisecond)
		resp := joinError(r, kerr.MemberIDRequired.Code)
		resp.MemberID = id
		e.reply(call, resp)
		return
	}
	g.addMember(now, id, call, r, c, e)
}

// joinKnown handles a join with a member id.
func (g *Group) joinKnown(now time.Time, call Call, r *kmsg.JoinGroupRequest, c Client, e *Effects) {
	if _, ok := g.pending[r.MemberID]; ok && r.InstanceID == nil {
		g.addMember(now, r.MemberID, call, r, c, e)
		return
	}
	m, code := g.identify(r.MemberID, r.InstanceID)
	if code != 0 {
		e.reply(call, joinError(r, code))
		return
	}
	switch g.state {
	case PreparingRebalance:
		g.awaitJoin(now, m, call, r, c, e)
	case CompletingRebalance:
		if sameProtocols(m.protocols, r.Protocols) {
			// The answer to its join got lost.
			g.update(m, r, c)
			m.touch(now)
			e.reply(call, g.joined(m, r))
			return
		}
		g.rejoin(now, m, call, r, c, e)
	case Stable:
		if m.id == g.leader || !sameProtocols(m.protocols, r.Protocols) {
			g.rejoin(now, m, call, r, c, e)
			return
		}
		g.update(m, r, c)
		m.touch(now)
		e.reply(call, g.joined(m, r))
	default:
		e.reply(call, joinError(r, kerr.UnknownMemberID.Code))
	}
}

func (g *Group) addMember(now time.Time, id string, call Call, r *kmsg.JoinGroupRequest, c Client, e *Effects) {
	m := &member{id: id, instanceID: r.InstanceID, isNew: true}
	if len(g.members) == 0 {
		g.protocolType = r.ProtocolType
	}
	g.add(m)
	first := g.state == Empty
	g.rejoin(now, m, call, r, c, e)
	if first && g.cfg.InitialRebalanceDelay > 0 {
		g.rebalanceBy = now.Add(m.rebalance)
		g.holdUntil = now.Add(min(g.cfg.InitialRebalanceDelay, m.rebalance))
	} else if !g.holdUntil.IsZero() {
		// Each newcomer during the initial delay extends it.
		g.holdUntil = now.Add(g.cfg.InitialRebalanceDelay)
		if g.holdUntil.After(g.rebalanceBy) {
			g.holdUntil = g.rebalanceBy
		}
	}
}

// rejoin lets the member's join start a rebalance.
func (g *Group) rejoin(now time.Time, m *member, call Call, r *kmsg.JoinGroupRequest, c Client, e *Effects) {
	g.awaitJoin(now, m, call, r, c, e)
	g.prepare(now, e)
}

// awaitJoin takes the member's new subscription and lets its call wait for the
// end of the rebalance.
func (g *Group) awaitJoin(now time.Time, m *member, call Call, r *kmsg.JoinGroupRequest, c Client, e *Effects) {
	g.update(m, r, c)
	if m.joinCall != 0 {
		// The client gave the earlier join up.
		e.reply(m.joinCall, joinError(m.join, kerr.UnknownMemberID.Code))
	}
	m.joinCall, m.join = call, r
	if m.isNew {
		m.expires = now.Add(newMemberTimeout)
	}
}

func (g *Group) update(m *member, r *kmsg.JoinGroupRequest, c Client) {
	m.client = c
	m.session = time.Duration(r.SessionTimeoutMillis) * time.Millisecond
	m.rebalance = time.Duration(r.RebalanceTimeoutMillis) * time.Millisecond
	if r.Version < 1 {
		m.rebalance = m.session
	}
	m.protocols = r.Protocols
}

// replaceStatic lets a static member continue under a new member id. A stable
// group that would choose the same protocol needs no rebalance for it.
func (g *Group) replaceStatic(now time.Time, call Call, r *kmsg.JoinGroupRequest, c Client, m *member, id string, e *Effects) {
	g.failCalls(m, e, kerr.FencedInstanceID.Code)
	oldID, oldLeader, oldProtocol := m.id, g.leader, g.protocol
	oldProtocols := m.protocols
	delete(g.members, oldID)
	m.id = id
	g.members[id] = m
	g.order[slices.Index(g.order, oldID)] = id
	g.static[*r.InstanceID] = id
	if g.leader == oldID {
		g.leader = id
	}
	g.update(m, r, c)
	m.touch(now)

	if g.state == Stable && g.vote() == oldProtocol && bytes.Equal(subscription(oldProtocols, oldProtocol), m.metadata(oldProtocol)) {
		e.Records = append(e.Records, g.record(now))
		resp := g.joined(m, r)
		if oldLeader == oldID {
			if r.Version >= 9 {
				resp.SkipAssignment = true
			} else {
				// It must not think itself the leader and assign anew: nobody
				// else would notice.
				resp.LeaderID, resp.Members = oldID, nil
			}
		}
		e.reply(call, resp)
		return
	}
	if g.state == PreparingRebalance {
		g.awaitJoin(now, m, call, r, c, e)
		return
	}
	g.rejoin(now, m, call, r, c, e)
}

func subscription(protocols []kmsg.JoinGroupRequestProtocol, name string) []byte {
	return (&member{protocols: protocols}).metadata(name)
}

func sameProtocols(a, b []kmsg.JoinGroupRequestProtocol) bool {
	return slices.EqualFunc(a, b, func(x, y kmsg.JoinGroupRequestProtocol) bool {
		return x.Name == y.Name && bytes.Equal(x.Metadata, y.Metadata)
	})
}

// prepare starts a rebalance, unless one is being prepared. Members that wait
// for an assignment learn that they must join again.
func (g *Group) prepare(now time.Time, e *Effects) {
	if g.state == PreparingRebalance {
		return
	}
	if g.state == CompletingRebalance {
		for _, id := range g.order {
			m := g.members[id]
			m.assignment = nil
			if m.syncCall != 0 {
				e.reply(m.syncCall, syncError(m.sync, kerr.RebalanceInProgress.Code))
				m.syncCall, m.sync = 0, nil
				m.touch(now)
			}
		}
	}
	g.enter(PreparingRebalance, now)
	g.rebalanceBy = now.Add(g.rebalanceTimeout())
}

// maybeCompleteJoin ends the preparation when everyone has joined.
func (g *Group) maybeCompleteJoin(now time.Time, e *Effects) {
	if g.state != PreparingRebalance || now.Before(g.holdUntil) || len(g.pending) > 0 {
		return
	}
	for _, m := range g.members {
		if m.joinCall == 0 {
			return
		}
	}
	g.completeJoin(now, e)
}

// completeJoin starts a generation with the members that have joined. Static
// members stay even if they haven't: they have until their session's end.
func (g *Group) completeJoin(now time.Time, e *Effects) {
	for _, id := range slices.Clone(g.order) {
		if m := g.members[id]; m.joinCall == 0 && m.instanceID == nil {
			g.remove(m, e, kerr.UnknownMemberID.Code)
		}
	}
	g.electLeader()
	g.generation++
	if len(g.members) == 0 {
		g.protocol = ""
		g.enter(Empty, now)
		e.Records = append(e.Records, g.record(now))
		return
	}
	if !slices.ContainsFunc(g.order, func(id string) bool { return g.members[id].joinCall != 0 }) {
		// Only static members that are away: wait for them, or for the end of
		// their sessions.
		g.rebalanceBy = now.Add(max(g.rebalanceTimeout(), time.Second))
		g.generation--
		return
	}
	e.Rebalanced = true
	g.protocol = g.vote()
	g.enter(CompletingRebalance, now)
	g.rebalanceBy = now.Add(g.rebalanceTimeout())
	for _, id := range g.order {
		m := g.members[id]
		m.assignment = nil
		if m.joinCall != 0 {
			e.reply(m.joinCall, g.joined(m, m.join))
			m.joinCall, m.join, m.isNew = 0, nil, false
			m.touch(now)
		}
	}
}

// electLeader keeps the leader if it has joined, and else takes the first
// member that has.
func (g *Group) electLeader() {
	if m := g.members[g.leader]; m != nil && m.joinCall != 0 {
		return
	}
	for _, id := range g.order {
		if g.members[id].joinCall != 0 {
			g.leader = id
			return
		}
	}
}

// joined is the successful answer to a member's join. The leader gets the
// members, to assign partitions to them.
func (g *Group) joined(m *member, r *kmsg.JoinGroupRequest) *kmsg.JoinGroupResponse {
	resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.Generation = g.generation
	resp.ProtocolType = kmsg.StringPtr(g.protocolType)
	resp.Protocol = kmsg.StringPtr(g.protocol)
	resp.LeaderID = g.leader
	resp.MemberID = m.id
	if m.id != g.leader {
		return resp
	}
	for _, id := range g.order {
		peer := g.members[id]
		jm := kmsg.NewJoinGroupResponseMember()
		jm.MemberID = id
		jm.InstanceID = peer.instanceID
		jm.ProtocolMetadata = peer.metadata(g.protocol)
		resp.Members = append(resp.Members, jm)
	}
	return resp
}

func joinError(r *kmsg.JoinGroupRequest, code int16) *kmsg.JoinGroupResponse {
	resp := r.ResponseKind().(*kmsg.JoinGroupResponse)
	resp.ErrorCode = code
	resp.Generation = -1
	resp.MemberID = r.MemberID
	if r.Version < 7 {
		resp.Protocol = kmsg.StringPtr("")
	}
	return resp
}
