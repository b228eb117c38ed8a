package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeGroups, v0-6: state and members of groups.
//
// v3: authorized operations
// v4: static members
// v5: flexible
// v6: an unknown group is an error with a message; before it is a dead group
func (s *Server) describeGroups(req *wire.Request, r *kmsg.DescribeGroupsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.DescribeGroupsResponse)
		for _, id := range r.Groups {
			if id != "" && !s.mayGroup(req, toDescribe, id) {
				d := kmsg.NewDescribeGroupsResponseGroup()
				d.Group, d.ErrorCode = id, groupDenied
				resp.Groups = append(resp.Groups, d)
				continue
			}
			d, err := s.describeGroup(ctx, id, r.Version)
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

// describeGroup describes one group. The error is ctx's.
func (s *Server) describeGroup(ctx context.Context, id string, version int16) (kmsg.DescribeGroupsResponseGroup, error) {
	blank := kmsg.NewDescribeGroupsResponseGroup()
	blank.Group = id
	blank.State = group.Dead.String()
	if id == "" {
		blank.ErrorCode = kerr.InvalidGroupID.Code
		return blank, nil
	}
	f, err := s.Groups.Inspect(id, func(g *group.Group) (v coord.View[kmsg.DescribeGroupsResponseGroup]) {
		switch {
		case g == nil:
		case g.Kind() != group.Classic:
			v.Seen = coord.OtherKind
		default:
			v.Seen, v.What = coord.Found, kmsg.NewDescribeGroupsResponseGroup()
			g.Describe(&v.What)
		}
		return v
	})
	v, code, err := awaitCoord(ctx, s, f, err)
	switch {
	case err != nil:
		return blank, err
	case code != 0:
		blank.ErrorCode = code
	case v.Seen == coord.Found:
		return v.What, nil
	case version >= 6:
		blank.ErrorCode = kerr.GroupIDNotFound.Code
		blank.ErrorMessage = kmsg.StringPtr("Group " + id + " not found.")
		if v.Seen == coord.OtherKind {
			blank.ErrorMessage = kmsg.StringPtr("Group " + id + " is not a classic group.")
		}
	}
	return blank, nil
}
