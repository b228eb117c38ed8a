package acl

import (
	"cmp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Names with a meaning of their own.
const (
	ClusterName  = "kafka-cluster" // the one resource of type cluster
	anyName      = "*"             // every resource of a type
	anyHost      = "*"
	anyPrincipal = "User:*"
)

// Binding is one access control entry.
type Binding struct {
	Type       kmsg.ACLResourceType        `json:"type"`
	Name       string                      `json:"name"`
	Pattern    kmsg.ACLResourcePatternType `json:"pattern"`
	Principal  string                      `json:"principal"`
	Host       string                      `json:"host"`
	Operation  kmsg.ACLOperation           `json:"operation"`
	Permission kmsg.ACLPermissionType      `json:"permission"`
}

// Check returns an error with Kafka's code for a binding that means nothing.
func (b Binding) Check() error {
	refuse := func(format string, args ...any) error { return batch.Errorf(kerr.InvalidRequest, format, args...) }
	kind, _, typed := strings.Cut(b.Principal, ":")
	switch {
	case b.Name == "":
		return refuse("Invalid empty resource name")
	case b.Type <= kmsg.ACLResourceTypeAny || b.Type > kmsg.ACLResourceTypeUser:
		return refuse("Invalid resourceType %d", b.Type)
	case b.Type == kmsg.ACLResourceTypeCluster && b.Name != ClusterName:
		return refuse("The only valid name for the CLUSTER resource is %s", ClusterName)
	case b.Pattern != kmsg.ACLResourcePatternTypeLiteral && b.Pattern != kmsg.ACLResourcePatternTypePrefixed:
		return refuse("Invalid patternType %d", b.Pattern)
	case b.Operation <= kmsg.ACLOperationAny || b.Operation > maxOperation:
		return refuse("Invalid operation %d", b.Operation)
	case b.Permission != kmsg.ACLPermissionTypeAllow && b.Permission != kmsg.ACLPermissionTypeDeny:
		return refuse("Invalid permissionType %d", b.Permission)
	case !typed || kind == "":
		return refuse("Could not parse principal from `%s` (no colon is present separating the principal type from the principal name)", b.Principal)
	case b.Host == "":
		return refuse("Invalid empty host")
	}
	return nil
}

// maxOperation is the largest operation that can be stored.
const maxOperation = kmsg.ACLOperationDescribeTokens

// compare orders bindings.
func compare(a, b Binding) int {
	return cmp.Or(
		cmp.Compare(a.Type, b.Type), cmp.Compare(a.Pattern, b.Pattern), cmp.Compare(a.Name, b.Name),
		cmp.Compare(a.Principal, b.Principal), cmp.Compare(a.Host, b.Host),
		cmp.Compare(a.Operation, b.Operation), cmp.Compare(a.Permission, b.Permission),
	)
}

// Add returns list with more bindings, in order and each once. list is not
// modified.
func Add(list []Binding, more ...Binding) []Binding {
	all := slices.Concat(list, more)
	slices.SortFunc(all, compare)
	return slices.Compact(all)
}

// Filter selects bindings. A nil string and an Any match all.
type Filter struct {
	Type       kmsg.ACLResourceType
	Name       *string
	Pattern    kmsg.ACLResourcePatternType // Match: whatever applies to Name
	Principal  *string
	Host       *string
	Operation  kmsg.ACLOperation
	Permission kmsg.ACLPermissionType
}

// Check returns an error with Kafka's code for a filter that means nothing.
func (f Filter) Check() error {
	if f.Type <= kmsg.ACLResourceTypeUnknown || f.Pattern <= kmsg.ACLResourcePatternTypeUnknown ||
		f.Operation <= kmsg.ACLOperationUnknown || f.Permission <= kmsg.ACLPermissionTypeUnknown ||
		f.Type > kmsg.ACLResourceTypeUser || f.Pattern > kmsg.ACLResourcePatternTypePrefixed ||
		f.Operation > maxOperation || f.Permission > kmsg.ACLPermissionTypeAllow {
		return batch.Errorf(kerr.InvalidRequest, "The filter contains unknown elements")
	}
	return nil
}

// Matches says whether the filter selects b.
func (f Filter) Matches(b Binding) bool {
	return (f.Type == kmsg.ACLResourceTypeAny || f.Type == b.Type) &&
		f.matchesPattern(b) &&
		(f.Principal == nil || *f.Principal == b.Principal) &&
		(f.Host == nil || *f.Host == b.Host) &&
		(f.Operation == kmsg.ACLOperationAny || f.Operation == b.Operation) &&
		(f.Permission == kmsg.ACLPermissionTypeAny || f.Permission == b.Permission)
}

func (f Filter) matchesPattern(b Binding) bool {
	switch {
	case f.Pattern != kmsg.ACLResourcePatternTypeAny && f.Pattern != kmsg.ACLResourcePatternTypeMatch && f.Pattern != b.Pattern:
		return false
	case f.Name == nil:
		return true
	case f.Pattern != kmsg.ACLResourcePatternTypeMatch:
		return *f.Name == b.Name
	}
	return b.covers(*f.Name)
}

// covers says whether the binding's pattern matches a resource's name.
func (b Binding) covers(name string) bool {
	if b.Pattern == kmsg.ACLResourcePatternTypePrefixed {
		return strings.HasPrefix(name, b.Name)
	}
	return b.Name == name || b.Name == anyName
}

// Select splits list into what the filter selects and the rest.
func (f Filter) Select(list []Binding) (selected, rest []Binding) {
	for _, b := range list {
		if f.Matches(b) {
			selected = append(selected, b)
		} else {
			rest = append(rest, b)
		}
	}
	return selected, rest
}
