package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DeleteGroups, v0-2: delete groups without members, and their offsets.
//
// v2: flexible
func (s *Server) deleteGroups(req *wire.Request, r *kmsg.DeleteGroupsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.DeleteGroupsResponse)
		for _, id := range r.Groups {
			out := kmsg.NewDeleteGroupsResponseGroup()
			out.Group = id
			if id == "" {
				out.ErrorCode = kerr.InvalidGroupID.Code
			} else if !s.mayGroup(req, toDelete, id) {
				out.ErrorCode = groupDenied
			} else if f, err := s.Groups.Delete(id); err != nil {
				out.ErrorCode = s.coordCode(err)
			} else if code, err := f.Await(ctx); err == nil {
				if out.ErrorCode = code; code == 0 {
					// If this fails, what is left is deleted with the topics.
					_, err = s.deleteShares(ctx, func(k share.Key) bool { return k.Group == id })
				}
				if err != nil {
					return nil, err
				}
			} else if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			} else {
				out.ErrorCode = s.coordCode(err)
			}
			resp.Groups = append(resp.Groups, out)
		}
		return resp, nil
	})
}
