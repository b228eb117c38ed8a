package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DeleteACLs, v1-3: remove the access control lists that filters select.
//
// v1: prefixed patterns
// v2: flexible
// v3: users as resources
func (s *Server) deleteACLs(req *wire.Request, r *kmsg.DeleteACLsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DeleteACLsResponse)
	refused := s.mayChangeACLs(req)
	for _, rf := range r.Filters {
		filter := acl.Filter{
			Type: rf.ResourceType, Name: rf.ResourceName, Pattern: rf.ResourcePatternType,
			Principal: rf.Principal, Host: rf.Host, Operation: rf.Operation, Permission: rf.PermissionType,
		}
		err := refused
		if err == nil {
			err = filter.Check()
		}
		var gone []acl.Binding
		if err == nil {
			err = s.Catalog.Secure(func(c *catalog.Change) error {
				gone, c.ACLs = filter.Select(c.ACLs)
				return nil
			})
		}
		out := kmsg.NewDeleteACLsResponseResult()
		if err != nil {
			out.ErrorCode, out.ErrorMessage = s.explain(err)
			gone = nil
		}
		for _, b := range gone {
			m := kmsg.NewDeleteACLsResponseResultMatchingACL()
			m.ResourceType, m.ResourceName, m.ResourcePatternType = b.Type, b.Name, b.Pattern
			m.Principal, m.Host, m.Operation, m.PermissionType = b.Principal, b.Host, b.Operation, b.Permission
			out.MatchingACLs = append(out.MatchingACLs, m)
			s.logACL("access control list deleted", req, b)
		}
		resp.Results = append(resp.Results, out)
	}
	return resp
}
