package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// StreamsGroupDescribe, v0: topology, members and tasks of streams groups.
func (s *Server) streamsGroupDescribe(req *wire.Request, r *kmsg.StreamsGroupDescribeRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.StreamsGroupDescribeResponse)
		for _, id := range r.Groups {
			d, err := s.describeStreamsGroup(ctx, req, id)
			if err != nil {
				return nil, err
			}
			if r.IncludeAuthorizedOperations && d.ErrorCode == 0 {
				d.AuthorizedOperations = s.operations(req, aGroup, id)
			}
			resp.Groups = append(resp.Groups, d)
		}
		return resp, nil
	})
}

// describeStreamsGroup describes one group. The error is ctx's.
func (s *Server) describeStreamsGroup(ctx context.Context, req *wire.Request, id string) (kmsg.StreamsGroupDescribeResponseGroup, error) {
	blank := kmsg.NewStreamsGroupDescribeResponseGroup()
	blank.Group = id
	switch {
	case id == "":
		blank.ErrorCode = kerr.InvalidGroupID.Code
		return blank, nil
	case !s.mayGroup(req, toDescribe, id):
		blank.ErrorCode = groupDenied
		return blank, nil
	}
	d := kmsg.NewStreamsGroupDescribeResponseGroup()
	var topics []string
	var done coord.Described
	f, err := s.Groups.DescribeStreams(id, &d, &topics)
	if err == nil {
		done, err = f.Await(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return blank, context.Cause(ctx)
	case err != nil:
		blank.ErrorCode = s.coordCode(err)
		return blank, nil
	case done != coord.Complete:
		blank.ErrorCode, blank.ErrorMessage = kerr.GroupIDNotFound.Code, noSuchGroup(id, done, "streams")
		return blank, nil
	}
	if slices.ContainsFunc(topics, func(name string) bool { return !s.sees(req, toDescribe, aTopic, name) }) {
		blank.ErrorCode = topicDenied
		blank.ErrorMessage = kmsg.StringPtr("The described group uses topics that the client is not authorized to describe.")
		return blank, nil
	}
	return d, nil
}
