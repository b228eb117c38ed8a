package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/sharegroup"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ShareGroupHeartbeat, v1: join a share group, be a member, or leave.
//
// A member learns of its partitions once they have a state that it can fetch from.
func (s *Server) shareGroupHeartbeat(req *wire.Request, r *kmsg.ShareGroupHeartbeatRequest) wire.Reply {
	fail := func(code int16) kmsg.Response {
		resp := r.ResponseKind().(*kmsg.ShareGroupHeartbeatResponse)
		resp.ErrorCode, resp.ErrorMessage = code, messageOf(code)
		return resp
	}
	if !s.mayGroup(req, toRead, r.GroupID) {
		return ready(fail(groupDenied))
	}
	if r.GroupID == "" {
		resp := fail(kerr.InvalidRequest.Code).(*kmsg.ShareGroupHeartbeatResponse)
		resp.ErrorMessage = kmsg.StringPtr("GroupId can't be empty.")
		return ready(resp)
	}
	for _, t := range r.SubscribedTopicNames {
		if !s.mayTopic(req, toDescribe, t) {
			return ready(fail(topicDenied))
		}
	}
	beat := s.groupAnswer(req, r.GroupID, fail, func() (*coord.Answer, error) {
		return s.Groups.ShareHeartbeat(&sharegroup.Heartbeat{ShareGroupHeartbeatRequest: r, Client: clientOf(req)})
	})
	return await(func(ctx context.Context) (wire.Response, error) {
		answer, err := beat.Await(ctx)
		resp, ok := answer.(*kmsg.ShareGroupHeartbeatResponse)
		if err != nil || !ok || resp.ErrorCode != 0 {
			return answer, err
		}
		if r.MemberEpoch < 0 {
			k := share.SessionKey{Group: r.GroupID, Member: r.MemberID}
			s.endShareSession(k, s.shareSessions.Close(k))
		}
		if resp.Assignment == nil {
			return resp, nil
		}
		if code, err := s.prepareShares(ctx, r.GroupID, resp.Assignment); err != nil {
			return nil, err
		} else if code != 0 {
			return fail(code), nil
		}
		return resp, nil
	})
}

// prepareShares makes share partitions known that a member is told of. The error
// is ctx's.
func (s *Server) prepareShares(ctx context.Context, group string, a *kmsg.ShareGroupHeartbeatResponseAssignment) (int16, error) {
	var asked []*coord.Future[int16]
	for _, t := range a.TopicPartitions {
		for _, p := range t.Partitions {
			f, err := s.Shares.Prepare(share.Key{Group: group, Topic: t.TopicID, Partition: p})
			if err != nil {
				return s.coordCode(err), nil
			}
			asked = append(asked, f)
		}
	}
	for _, f := range asked {
		stored, code, err := awaitCoord(ctx, s, f, nil)
		if stored != 0 || code != 0 || err != nil {
			return kerr.CoordinatorNotAvailable.Code, err
		}
	}
	return 0, nil
}
