package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ShareGroupDescribe, v1: share groups, their members and assignments.
//
// Unlike the other two, Kafka says in words what each error code means.
func (s *Server) shareGroupDescribe(req *wire.Request, r *kmsg.ShareGroupDescribeRequest) wire.Reply {
	type described = kmsg.ShareGroupDescribeResponseGroup
	how := description[described]{
		kind: group.Share,
		head: func(id string, code int16, why *string) described {
			d := kmsg.NewShareGroupDescribeResponseGroup()
			d.GroupID, d.ErrorCode, d.ErrorMessage = id, code, why
			if why == nil {
				d.ErrorMessage = messageOf(code)
			}
			return d
		},
		ask:    s.Groups.DescribeShare,
		hidden: "The described group uses topics that the client is not authorized to describe.",
		allow:  func(d *described, operations int32) { d.AuthorizedOperations = operations },
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
		var err error
		resp.Groups, err = how.describe(ctx, s, req, r.GroupIDs, r.IncludeAuthorizedOperations)
		return resp, err
	})
}
