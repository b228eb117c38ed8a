package catalog

import (
	"cmp"
	"slices"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/quota"
)

// Security is who may log in, do what, and how much, at one moment. It never
// changes.
type Security struct {
	ACLs   *acl.Rules
	Quotas *quota.Table
	users  []authn.Credential // by user and mechanism
}

// compileSecurity makes the view of what is stored.
func compileSecurity(f fileSecurity) *Security {
	return &Security{ACLs: acl.Compile(f.ACLs), Quotas: quota.Compile(f.Quotas), users: f.Users}
}

// fileSecurity is the part of the catalog's file that is about security.
type fileSecurity struct {
	ACLs   []acl.Binding      `json:"acls,omitempty"`
	Users  []authn.Credential `json:"users,omitempty"`
	Quotas []quota.Entry      `json:"quotas,omitempty"`
}

func compareUser(c authn.Credential, user, mechanism string) int {
	return cmp.Or(cmp.Compare(c.User, user), cmp.Compare(c.Mechanism, mechanism))
}

// Credential finds what is stored of a user for a mechanism.
func (s *Security) Credential(user, mechanism string) (authn.Credential, bool) {
	at, ok := s.findUser(user, mechanism)
	if !ok {
		return authn.Credential{}, false
	}
	return s.users[at], true
}

func (s *Security) findUser(user, mechanism string) (int, bool) {
	return slices.BinarySearchFunc(s.users, user, func(c authn.Credential, user string) int { return compareUser(c, user, mechanism) })
}

// Users are the credentials by user and mechanism. They must not be modified.
func (s *Security) Users() []authn.Credential { return s.users }

// Security is what holds now.
func (c *Catalog) Security() *Security { return c.security.Load() }

// Change is a change of what is stored about security. Its fields must not be
// modified in place, but replaced.
type Change struct {
	ACLs   []acl.Binding
	Users  []authn.Credential
	Quotas []quota.Entry
}

// Secure changes what is stored about security. An error of change leaves
// everything as it was.
func (c *Catalog) Secure(change func(*Change) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	old := c.saved.Security
	next := Change(old)
	if err := change(&next); err != nil {
		return err
	}
	slices.SortFunc(next.Users, func(a, b authn.Credential) int { return compareUser(a, b.User, b.Mechanism) })
	c.saved.Security = fileSecurity(next)
	if err := c.save(); err != nil {
		c.saved.Security = old
		return storageError(err)
	}
	c.security.Store(compileSecurity(c.saved.Security))
	return nil
}

// SetUser returns users with one more credential, in place of an older one.
func SetUser(users []authn.Credential, c authn.Credential) []authn.Credential {
	return append(RemoveUser(users, c.User, c.Mechanism), c)
}

// RemoveUser returns users without a user's credential for a mechanism.
func RemoveUser(users []authn.Credential, user, mechanism string) []authn.Credential {
	return slices.DeleteFunc(slices.Clone(users), func(c authn.Credential) bool { return compareUser(c, user, mechanism) == 0 })
}
