package acl

import "github.com/twmb/franz-go/pkg/kmsg"

// Access is something that somebody wants to do.
type Access struct {
	Principal string // "User:alice"
	Host      string // IP address of the client
	Operation kmsg.ACLOperation
	Type      kmsg.ACLResourceType
	Name      string
}

// Policy is what holds besides the bindings.
type Policy struct {
	// SuperUsers may do everything. The keys are principals.
	SuperUsers map[string]bool
	// AllowIfNone allows what no binding is about: access to resources that no
	// binding matches.
	AllowIfNone bool
}

// Allows says whether the access is allowed under the rules.
func (p Policy) Allows(r *Rules, a Access) bool {
	if p.SuperUsers[a.Principal] {
		return true
	}
	switch r.decide(a) {
	case allowed:
		return true
	case silent:
		return p.AllowIfNone
	default:
		return false
	}
}

// AllowsAny says whether there may be a resource of the access's type on which
// the access is allowed. Its name is ignored.
func (p Policy) AllowsAny(r *Rules, a Access) bool {
	if p.SuperUsers[a.Principal] {
		return true
	}
	if r.anywhere(a) {
		return true
	}
	// Some resource is without bindings, unless one denies all of them.
	x := r.byType[a.Type]
	return p.AllowIfNone && (x == nil || a.ask(silent, x.literal[anyName]) != denied)
}

// Operations are those that a type of resource knows.
func Operations(t kmsg.ACLResourceType) []kmsg.ACLOperation {
	switch t {
	case kmsg.ACLResourceTypeTopic:
		return []kmsg.ACLOperation{
			kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationCreate, kmsg.ACLOperationDescribe,
			kmsg.ACLOperationDelete, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs,
		}
	case kmsg.ACLResourceTypeGroup:
		return []kmsg.ACLOperation{
			kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete,
			kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationAlterConfigs,
		}
	case kmsg.ACLResourceTypeCluster:
		return []kmsg.ACLOperation{
			kmsg.ACLOperationCreate, kmsg.ACLOperationClusterAction, kmsg.ACLOperationDescribeConfigs,
			kmsg.ACLOperationAlterConfigs, kmsg.ACLOperationIdempotentWrite, kmsg.ACLOperationAlter, kmsg.ACLOperationDescribe,
		}
	default:
		return nil
	}
}
