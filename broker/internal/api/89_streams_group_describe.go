package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// StreamsGroupDescribe, v0: topology, members and tasks of streams groups.
func (s *Server) streamsGroupDescribe(req *wire.Request, r *kmsg.StreamsGroupDescribeRequest) wire.Reply {
	type described = kmsg.StreamsGroupDescribeResponseGroup
	how := description[described]{
		kind: group.Streams,
		head: func(id string, code int16, why *string) described {
			d := kmsg.NewStreamsGroupDescribeResponseGroup()
			d.Group, d.ErrorCode, d.ErrorMessage = id, code, why
			return d
		},
		ask:    s.Groups.DescribeStreams,
		hidden: "The described group uses topics that the client is not authorized to describe.",
		allow:  func(d *described, operations int32) { d.AuthorizedOperations = operations },
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.StreamsGroupDescribeResponse)
		var err error
		resp.Groups, err = how.describe(ctx, s, req, r.Groups, r.IncludeAuthorizedOperations)
		return resp, err
	})
}
