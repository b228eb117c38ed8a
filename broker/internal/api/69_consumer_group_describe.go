package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ConsumerGroupDescribe, v0-1: epochs, members and assignments of consumer groups.
//
// v1: whether a member speaks the classic protocol
func (s *Server) consumerGroupDescribe(req *wire.Request, r *kmsg.ConsumerGroupDescribeRequest) wire.Reply {
	type described = kmsg.ConsumerGroupDescribeResponseGroup
	how := description[described]{
		kind: group.Consumer,
		head: func(id string, code int16, why *string) described {
			d := kmsg.NewConsumerGroupDescribeResponseGroup()
			d.Group, d.ErrorCode, d.ErrorMessage = id, code, why
			return d
		},
		ask:    s.Groups.DescribeConsumer,
		hidden: "The group has described topic(s) that the client is not authorized to describe.",
		allow:  func(d *described, operations int32) { d.AuthorizedOperations = operations },
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		var err error
		resp.Groups, err = how.describe(ctx, s, req, r.Groups, r.IncludeAuthorizedOperations)
		return resp, err
	})
}
