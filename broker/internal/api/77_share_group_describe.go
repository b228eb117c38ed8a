package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// ShareGroupDescribe, v1: share groups, their members and assignments.
func (s *Server) shareGroupDescribe(req *wire.Request, r *kmsg.ShareGroupDescribeRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.ShareGroupDescribeResponse)
		for _, id := range r.GroupIDs {
			g, err := s.describeShareGroup(ctx, req, id)
			if err != nil {
				return nil, err
			}
			if r.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = s.operations(req, aGroup, id)
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	})
}

// describeShareGroup describes one group. The error is ctx's.
func (s *Server) describeShareGroup(ctx context.Context, req *wire.Request, id string) (kmsg.ShareGroupDescribeResponseGroup, error) {
	g := kmsg.NewShareGroupDescribeResponseGroup()
	fail := func(code int16, why string) kmsg.ShareGroupDescribeResponseGroup {
		f := kmsg.NewShareGroupDescribeResponseGroup()
		f.GroupID, f.ErrorCode, f.ErrorMessage = id, code, messageOf(code)
		if why != "" {
			f.ErrorMessage = &why
		}
		return f
	}
	switch {
	case !s.mayGroup(req, toDescribe, id):
		return fail(groupDenied, ""), nil
	case id == "":
		return fail(kerr.InvalidGroupID.Code, ""), nil
	}
	found := false
	f, err := s.Groups.DescribeShare(id, &g, &found)
	switch _, code, err := awaitShare(ctx, s, f, err); {
	case err != nil:
		return g, err
	case code != 0:
		return fail(code, ""), nil
	case !found:
		return fail(kerr.GroupIDNotFound.Code, "Group "+id+" not found."), nil
	}
	// Who may not know of a topic may not know that a member has it.
	hidden := func(name string) bool { return !s.sees(req, toDescribe, aTopic, name) }
	for _, m := range g.Members {
		if slices.ContainsFunc(m.SubscribedTopicNames, hidden) {
			return fail(topicDenied, "The described group uses topics that the client is not authorized to describe."), nil
		}
	}
	return g, nil
}
