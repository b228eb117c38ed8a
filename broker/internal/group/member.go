package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Sync handles a SyncGroup request: the leader brings the assignment, and
// everyone gets theirs once it is there.
func (g *Group) Sync(now time.Time, call Call, r *kmsg.SyncGroupRequest) Effects {
	var e Effects
	m, code := g.identify(r.MemberID, r.InstanceID)
	switch {
	case g.state == Dead:
		code = kerr.CoordinatorNotAvailable.Code
	case code != 0:
	case r.Generation != g.generation:
		code = kerr.IllegalGeneration.Code
	case r.ProtocolType != nil && *r.ProtocolType != g.protocolType,
		r.Protocol != nil && *r.Protocol != g.protocol:
		code = kerr.InconsistentGroupProtocol.Code
	case g.state == Empty:
		code = kerr.UnknownMemberID.Code
	case g.state == PreparingRebalance:
		code = kerr.RebalanceInProgress.Code
	}
	if code != 0 {
		e.reply(call, syncError(r, code))
		return e
	}
	m.touch(now)
	if g.state == Stable {
		e.reply(call, g.synced(m, r))
		return e
	}
	if m.syncCall != 0 {
		e.reply(m.syncCall, syncError(m.sync, kerr.UnknownMemberID.Code))
	}
	m.syncCall, m.sync = call, r
	if m.id == g.leader {
		g.assign(now, r.GroupAssignment, &e)
	}
	return e
}

// assign gives every member its part of the leader's assignment.
func (g *Group) assign(now time.Time, assignment []kmsg.SyncGroupRequestGroupAssignment, e *Effects) {
	for _, m := range g.members {
		m.assignment = nil
	}
	for _, a := range assignment {
		if m := g.members[a.MemberID]; m != nil {
			m.assignment = a.MemberAssignment
		}
	}
	g.enter(Stable, now)
	e.Records = append(e.Records, g.record(now))
	for _, id := range g.order {
		m := g.members[id]
		if m.syncCall != 0 {
			e.reply(m.syncCall, g.synced(m, m.sync))
			m.syncCall, m.sync = 0, nil
			m.touch(now)
		}
	}
}

func (g *Group) synced(m *member, r *kmsg.SyncGroupRequest) *kmsg.SyncGroupResponse {
	resp := r.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.ProtocolType = kmsg.StringPtr(g.protocolType)
	resp.Protocol = kmsg.StringPtr(g.protocol)
	resp.MemberAssignment = m.assignment
	if resp.MemberAssignment == nil {
		resp.MemberAssignment = []byte{}
	}
	return resp
}

func syncError(r *kmsg.SyncGroupRequest, code int16) *kmsg.SyncGroupResponse {
	resp := r.ResponseKind().(*kmsg.SyncGroupResponse)
	resp.ErrorCode = code
	resp.MemberAssignment = []byte{}
	return resp
}

// Heartbeat handles a Heartbeat request.
func (g *Group) Heartbeat(now time.Time, call Call, r *kmsg.HeartbeatRequest) Effects {
	var e Effects
	resp := r.ResponseKind().(*kmsg.HeartbeatResponse)
	m, code := g.identify(r.MemberID, r.InstanceID)
	switch {
	case g.state == Dead:
		code = kerr.CoordinatorNotAvailable.Code
	case code != 0:
	case g.state == Empty:
		code = kerr.UnknownMemberID.Code
	case r.Generation != g.generation:
		code = kerr.IllegalGeneration.Code
	default:
		m.touch(now)
		if g.state == PreparingRebalance {
			code = kerr.RebalanceInProgress.Code
		}
	}
	resp.ErrorCode = code
	e.reply(call, resp)
	return e
}

// Leave handles a LeaveGroup request. Static members usually don't leave; an
// admin client removes them by instance id.
func (g *Group) Leave(now time.Time, call Call, r *kmsg.LeaveGroupRequest) Effects {
	var e Effects
	resp := r.ResponseKind().(*kmsg.LeaveGroupResponse)
	members := r.Members
	if r.Version < 3 {
		one := kmsg.NewLeaveGroupRequestMember()
		one.MemberID = r.MemberID
		members = []kmsg.LeaveGroupRequestMember{one}
	}
	left := false
	for _, lm := range members {
		code := g.leave(lm, &e)
		left = left || code == 0
		if r.Version < 3 {
			resp.ErrorCode = code
			continue
		}
		rm := kmsg.NewLeaveGroupResponseMember()
		rm.MemberID, rm.InstanceID, rm.ErrorCode = lm.MemberID, lm.InstanceID, code
		resp.Members = append(resp.Members, rm)
	}
	if left {
		g.afterRemoval(now, &e)
	}
	e.reply(call, resp)
	return e
}

func (g *Group) leave(lm kmsg.LeaveGroupRequestMember, e *Effects) int16 {
	if g.state == Dead {
		return kerr.CoordinatorNotAvailable.Code
	}
	if _, ok := g.pending[lm.MemberID]; ok && lm.InstanceID == nil {
		delete(g.pending, lm.MemberID)
		return 0
	}
	id := lm.MemberID
	if lm.InstanceID != nil && id == "" {
		id = g.static[*lm.InstanceID]
	}
	m, code := g.identify(id, lm.InstanceID)
	if code != 0 {
		return code
	}
	g.remove(m, e, kerr.UnknownMemberID.Code)
	return 0
}

// afterRemoval starts a rebalance for the members that remain, or ends one
// that waited only for who is gone.
func (g *Group) afterRemoval(now time.Time, e *Effects) {
	if g.state == Stable || g.state == CompletingRebalance {
		g.prepare(now, e)
	}
	g.maybeCompleteJoin(now, e)
}

// NextDeadline is when Tick has something to do; zero is never.
func (g *Group) NextDeadline() time.Time {
	if g.membership != nil {
		return g.membership.NextDeadline()
	}
	var next time.Time
	sooner := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	switch g.state {
	case PreparingRebalance:
		sooner(g.rebalanceBy)
		if !g.holdUntil.IsZero() {
			sooner(g.holdUntil)
		}
	case CompletingRebalance:
		sooner(g.rebalanceBy)
	}
	for _, t := range g.pending {
		sooner(t)
	}
	for _, m := range g.members {
		if m.timed() {
			sooner(m.expires)
		}
	}
	return next
}

// timed says whether the member's session runs: not while the member waits
// for an answer of ours, except that a first join is given up some time.
func (m *member) timed() bool {
	return m.joinCall == 0 && m.syncCall == 0 || m.isNew
}

// Tick ends the sessions and waits whose time has come.
func (g *Group) Tick(env Env) Effects {
	if g.membership != nil {
		return g.membership.Tick(env)
	}
	var e Effects
	now := env.Now
	g.expire(now, &e)
	switch g.state {
	case PreparingRebalance:
		if !g.holdUntil.After(now) {
			g.holdUntil = time.Time{}
		}
		g.maybeCompleteJoin(now, &e)
		if g.state == PreparingRebalance && !g.rebalanceBy.After(now) {
			g.completeJoin(now, &e)
		}
	case CompletingRebalance:
		if !g.rebalanceBy.After(now) {
			g.dropUnsynced(now, &e)
		}
	}
	return e
}

// expire removes members and promised ids that have not been heard of.
func (g *Group) expire(now time.Time, e *Effects) {
	for id, t := range g.pending {
		if !t.After(now) {
			delete(g.pending, id)
		}
	}
	removed := false
	for _, id := range slices.Clone(g.order) {
		if m := g.members[id]; m.timed() && !m.expires.After(now) {
			g.remove(m, e, kerr.UnknownMemberID.Code)
			removed = true
		}
	}
	if removed {
		g.afterRemoval(now, e)
	}
}

// dropUnsynced removes the members that joined but did not ask for their
// assignment in time, and lets the others rebalance.
func (g *Group) dropUnsynced(now time.Time, e *Effects) {
	for _, id := range slices.Clone(g.order) {
		if m := g.members[id]; m.syncCall == 0 {
			g.remove(m, e, kerr.UnknownMemberID.Code)
		}
	}
	g.afterRemoval(now, e)
}

// Unassign undoes the end of a rebalance whose record could not be stored:
// the members have to join again.
func (g *Group) Unassign(now time.Time) {
	var none Effects
	if g.state != Stable || g.membership != nil {
		return
	}
	g.prepare(now, &none)
	for _, m := range g.members {
		m.touch(now)
	}
}
