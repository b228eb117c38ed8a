package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/wire"
)

// scramMechanisms are the mechanisms by their numbers in requests.
var scramMechanisms = map[int8]string{1: authn.ScramSHA256, 2: authn.ScramSHA512}

// DescribeUserSCRAMCredentials, v0: which users have credentials, and how
// strong. What they are isn't told.
func (s *Server) describeUserSCRAMCredentials(req *wire.Request, r *kmsg.DescribeUserSCRAMCredentialsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	if !s.mayCluster(req, toDescribe) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	users, asked := s.Catalog.Security().Users(), map[string]int{}
	for _, u := range r.Users {
		asked[u.Name]++
	}
	var names []string
	for _, u := range r.Users {
		if asked[u.Name] > 0 {
			names = append(names, u.Name)
		}
		asked[u.Name] = -asked[u.Name] // mentioned: once is enough
	}
	if len(r.Users) == 0 {
		for _, c := range users {
			if n := len(names); n == 0 || names[n-1] != c.User {
				names = append(names, c.User)
			}
		}
	}
	for _, name := range names {
		resp.Results = append(resp.Results, s.describeUser(name, users, asked[name] < -1))
	}
	return resp
}

func (s *Server) describeUser(name string, users []authn.Credential, twice bool) kmsg.DescribeUserSCRAMCredentialsResponseResult {
	out := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
	out.User = name
	if twice {
		out.ErrorCode, out.ErrorMessage = s.explain(batch.Errorf(kerr.DuplicateResource, "Cannot describe SCRAM credentials for the same user twice in a single request: %s", name))
		return out
	}
	for _, c := range users {
		for number, mechanism := range scramMechanisms {
			if c.User == name && c.Mechanism == mechanism {
				info := kmsg.NewDescribeUserSCRAMCredentialsResponseResultCredentialInfo()
				info.Mechanism, info.Iterations = number, int32(c.Iterations)
				out.CredentialInfos = append(out.CredentialInfos, info)
			}
		}
	}
	if len(out.CredentialInfos) == 0 {
		out.ErrorCode, out.ErrorMessage = s.explain(batch.Errorf(kerr.ResourceNotFound, "Attempt to describe a user credential that does not exist: %s", name))
	}
	return out
}
