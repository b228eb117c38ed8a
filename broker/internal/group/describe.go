package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Describe fills what DescribeGroups tells of the group.
func (g *Group) Describe(d *kmsg.DescribeGroupsResponseGroup) {
	d.Group = g.id
	d.State = g.StateName()
	d.ProtocolType = g.protocolType
	stable := g.state == Stable
	if stable {
		d.Protocol = g.protocol
	}
	for _, id := range g.order {
		m := g.members[id]
		dm := kmsg.NewDescribeGroupsResponseGroupMember()
		dm.MemberID, dm.InstanceID = m.id, m.instanceID
		dm.ClientID, dm.ClientHost = m.client.ID, m.client.Host
		// Before a group is stable neither is settled.
		dm.ProtocolMetadata, dm.MemberAssignment = []byte{}, []byte{}
		if stable {
			if md := m.metadata(g.protocol); md != nil {
				dm.ProtocolMetadata = md
			}
			if m.assignment != nil {
				dm.MemberAssignment = m.assignment
			}
		}
		d.Members = append(d.Members, dm)
	}
}

// Mismatch answers a member of a classic group that wants to join a group of
// another kind.
func Mismatch(r *kmsg.JoinGroupRequest) kmsg.Response {
	return joinError(r, kerr.InconsistentGroupProtocol.Code)
}

// Fail turns an answer of this package into one that carries only an error:
// what it promised could not be stored.
func Fail(body kmsg.Response, code int16) {
	switch r := body.(type) {
	case *kmsg.StreamsGroupHeartbeatResponse:
		*r = kmsg.StreamsGroupHeartbeatResponse{Version: r.Version, ErrorCode: code}
	case *kmsg.ConsumerGroupHeartbeatResponse:
		*r = kmsg.ConsumerGroupHeartbeatResponse{Version: r.Version, ErrorCode: code}
	case *kmsg.ShareGroupHeartbeatResponse:
		*r = kmsg.ShareGroupHeartbeatResponse{Version: r.Version, ErrorCode: code}
	case *kmsg.JoinGroupResponse:
		*r = kmsg.JoinGroupResponse{Version: r.Version, ErrorCode: code, Generation: -1, MemberID: r.MemberID, Protocol: kmsg.StringPtr("")}
	case *kmsg.SyncGroupResponse:
		*r = kmsg.SyncGroupResponse{Version: r.Version, ErrorCode: code, MemberAssignment: []byte{}}
	case *kmsg.HeartbeatResponse:
		r.ErrorCode = code
	case *kmsg.LeaveGroupResponse:
		r.ErrorCode = code
	}
}
