package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// maxACLs bounds the access control lists: each is in memory and in the
// catalog's file.
const maxACLs = 100_000

// CreateACLs, v1-3: add access control lists. One that is there already is no
// error.
//
// v1: prefixed patterns
// v2: flexible
// v3: users as resources
func (s *Server) createACLs(req *wire.Request, r *kmsg.CreateACLsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.CreateACLsResponse)
	resp.Results = make([]kmsg.CreateACLsResponseResult, len(r.Creations))
	var good []acl.Binding
	var places []int
	refused := s.mayChangeACLs(req)
	for i, c := range r.Creations {
		resp.Results[i] = kmsg.NewCreateACLsResponseResult()
		b := acl.Binding{
			Type: c.ResourceType, Name: c.ResourceName, Pattern: c.ResourcePatternType,
			Principal: c.Principal, Host: c.Host, Operation: c.Operation, Permission: c.PermissionType,
		}
		err := refused
		if err == nil {
			err = b.Check()
		}
		if err != nil {
			resp.Results[i].ErrorCode, resp.Results[i].ErrorMessage = s.explain(err)
			continue
		}
		good, places = append(good, b), append(places, i)
	}
	if len(good) == 0 {
		return resp
	}
	err := s.Catalog.Secure(func(c *catalog.Change) error {
		c.ACLs = acl.Add(c.ACLs, good...)
		if len(c.ACLs) > maxACLs {
			return batch.Errorf(kerr.PolicyViolation, "There would be more than %d access control lists.", maxACLs)
		}
		return nil
	})
	for _, i := range places {
		resp.Results[i].ErrorCode, resp.Results[i].ErrorMessage = s.explain(err)
	}
	if err == nil {
		for _, b := range good {
			s.logACL("access control list created", req, b)
		}
	}
	return resp
}

// mayChangeACLs returns why a client may not change access control lists.
func (s *Server) mayChangeACLs(req *wire.Request) error {
	switch {
	case !s.mayCluster(req, toAlter):
		return kerr.ClusterAuthorizationFailed
	case s.Policy == nil:
		return errNoAuthorizer
	}
	return nil
}

func (s *Server) logACL(what string, req *wire.Request, b acl.Binding) {
	s.Log.Info(what, "by", req.Principal, "permission", b.Permission.String(), "principal", b.Principal, "host", b.Host,
		"operation", b.Operation.String(), "resource", b.Type.String(), "pattern", b.Pattern.String(), "name", b.Name)
}
