package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// maxUsers bounds the credentials that are kept.
const maxUsers = 100_000

// AlterUserSCRAMCredentials, v0: set and delete the credentials of users. Each
// user's are changed as a whole or, with an error, not at all. Sessions that
// were begun with other credentials go on.
func (s *Server) alterUserSCRAMCredentials(req *wire.Request, r *kmsg.AlterUserSCRAMCredentialsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterUserSCRAMCredentialsResponse)
	allowed := s.mayCluster(req, toAlter)
	for _, name := range mentioned(r) {
		err := error(kerr.ClusterAuthorizationFailed)
		if allowed {
			err = s.Catalog.Secure(func(c *catalog.Change) error { return alterUser(c, name, r) })
		}
		out := kmsg.NewAlterUserSCRAMCredentialsResponseResult()
		out.User = name
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Results = append(resp.Results, out)
		if err == nil {
			s.Log.Info("a user's credentials were changed", "by", req.Principal, "user", name)
		}
	}
	return resp
}

// mentioned are the users of a request, each once.
func mentioned(r *kmsg.AlterUserSCRAMCredentialsRequest) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, d := range r.Deletions {
		add(d.Name)
	}
	for _, u := range r.Upsertions {
		add(u.Name)
	}
	return names
}

// alterUser makes the changes that a request has for one user.
func alterUser(c *catalog.Change, name string, r *kmsg.AlterUserSCRAMCredentialsRequest) error {
	if name == "" {
		return batch.Errorf(kerr.UnacceptableCredential, "Username must not be empty")
	}
	changed := map[int8]bool{}
	once := func(number int8) error {
		switch {
		case scramMechanisms[number] == "":
			return batch.Errorf(kerr.UnsupportedSaslMechanism, "Unknown SCRAM mechanism")
		case changed[number]:
			return batch.Errorf(kerr.DuplicateResource, "A user credential cannot be altered twice in the same request")
		}
		changed[number] = true
		return nil
	}
	for _, d := range r.Deletions {
		if d.Name != name {
			continue
		}
		if err := once(d.Mechanism); err != nil {
			return err
		}
		left := catalog.RemoveUser(c.Users, name, scramMechanisms[d.Mechanism])
		if len(left) == len(c.Users) {
			return batch.Errorf(kerr.ResourceNotFound, "Attempt to delete a user credential that does not exist")
		}
		c.Users = left
	}
	for _, u := range r.Upsertions {
		if u.Name != name {
			continue
		}
		if err := once(u.Mechanism); err != nil {
			return err
		}
		cred, err := newCredential(u)
		if err != nil {
			return err
		}
		c.Users = catalog.SetUser(c.Users, cred)
	}
	if len(c.Users) > maxUsers {
		return batch.Errorf(kerr.PolicyViolation, "There would be more than %d credentials.", maxUsers)
	}
	return nil
}

func newCredential(u kmsg.AlterUserSCRAMCredentialsRequestUpsertion) (authn.Credential, error) {
	switch {
	case u.Iterations < authn.MinIterations:
		return authn.Credential{}, batch.Errorf(kerr.UnacceptableCredential, "Too few iterations")
	case u.Iterations > authn.MaxIterations:
		return authn.Credential{}, batch.Errorf(kerr.UnacceptableCredential, "Too many iterations")
	case len(u.Salt) == 0 || len(u.SaltedPassword) == 0:
		return authn.Credential{}, batch.Errorf(kerr.UnacceptableCredential, "The salt and the salted password must not be empty")
	}
	return authn.FromSalted(u.Name, scramMechanisms[u.Mechanism], u.Salt, int(u.Iterations), u.SaltedPassword)
}
