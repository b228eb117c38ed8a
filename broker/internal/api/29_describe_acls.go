package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/wire"
)

// errNoAuthorizer is the answer of all about access control lists while nothing
// would look at them.
var errNoAuthorizer = batch.Errorf(kerr.SecurityDisabled, "No Authorizer is configured on the broker")

// DescribeACLs, v1-3: the access control lists that a filter selects.
//
// v1: prefixed patterns
// v2: flexible
// v3: users as resources
func (s *Server) describeACLs(req *wire.Request, r *kmsg.DescribeACLsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeACLsResponse)
	filter := acl.Filter{
		Type: r.ResourceType, Name: r.ResourceName, Pattern: r.ResourcePatternType,
		Principal: r.Principal, Host: r.Host, Operation: r.Operation, Permission: r.PermissionType,
	}
	err := filter.Check()
	switch {
	case !s.mayCluster(req, toDescribe):
		err = kerr.ClusterAuthorizationFailed
	case s.Policy == nil:
		err = errNoAuthorizer
	}
	if err != nil {
		resp.ErrorCode, resp.ErrorMessage = s.explain(err)
		return resp
	}
	selected, _ := filter.Select(s.Catalog.Security().ACLs.All())
	for _, b := range selected { // those of a pattern stand together
		n := len(resp.Resources)
		if n == 0 || resp.Resources[n-1].ResourceType != b.Type || resp.Resources[n-1].ResourceName != b.Name || resp.Resources[n-1].ResourcePatternType != b.Pattern {
			res := kmsg.NewDescribeACLsResponseResource()
			res.ResourceType, res.ResourceName, res.ResourcePatternType = b.Type, b.Name, b.Pattern
			resp.Resources = append(resp.Resources, res)
			n++
		}
		out := kmsg.NewDescribeACLsResponseResourceACL()
		out.Principal, out.Host, out.Operation, out.PermissionType = b.Principal, b.Host, b.Operation, b.Permission
		resp.Resources[n-1].ACLs = append(resp.Resources[n-1].ACLs, out)
	}
	return resp
}
