package acl

import (
	"sort"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Rules is an index of bindings. It never changes.
type Rules struct {
	all    []Binding
	byType map[kmsg.ACLResourceType]*index
}

// index is the bindings of one type of resource.
type index struct {
	literal  map[string][]Binding // also "*"
	prefixed map[string][]Binding
	lengths  []int // of the prefixes, ascending
	all      []Binding
}

// Compile makes an index of bindings, which must not be modified any more.
func Compile(all []Binding) *Rules {
	r := &Rules{all: all, byType: map[kmsg.ACLResourceType]*index{}}
	for _, b := range all {
		x := r.byType[b.Type]
		if x == nil {
			x = &index{literal: map[string][]Binding{}, prefixed: map[string][]Binding{}}
			r.byType[b.Type] = x
		}
		x.add(b)
	}
	return r
}

func (x *index) add(b Binding) {
	x.all = append(x.all, b)
	if b.Pattern != kmsg.ACLResourcePatternTypePrefixed {
		x.literal[b.Name] = append(x.literal[b.Name], b)
		return
	}
	x.prefixed[b.Name] = append(x.prefixed[b.Name], b)
	at := sort.SearchInts(x.lengths, len(b.Name))
	if at == len(x.lengths) || x.lengths[at] != len(b.Name) {
		x.lengths = append(x.lengths, 0)
		copy(x.lengths[at+1:], x.lengths[at:])
		x.lengths[at] = len(b.Name)
	}
}

// All are the bindings, in order. They must not be modified.
func (r *Rules) All() []Binding { return r.all }

// verdict is what bindings say about one access.
type verdict uint8

const (
	silent  verdict = iota // no binding is for the resource
	other                  // there are some, for others
	allowed                //
	denied                 // which wins
)

// decide asks all bindings whose pattern matches the resource.
func (r *Rules) decide(a Access) verdict {
	x := r.byType[a.Type]
	if x == nil {
		return silent
	}
	v := a.ask(silent, x.literal[a.Name])
	if a.Name != anyName {
		v = a.ask(v, x.literal[anyName])
	}
	for _, n := range x.lengths {
		if v == denied || n > len(a.Name) {
			break
		}
		v = a.ask(v, x.prefixed[a.Name[:n]])
	}
	return v
}

// ask adds what the bindings say to what is known.
func (a Access) ask(known verdict, bindings []Binding) verdict {
	for _, b := range bindings {
		known = max(known, other)
		if !a.concerns(b) {
			continue
		}
		if b.Permission == kmsg.ACLPermissionTypeDeny {
			return denied
		}
		known = max(known, allowed)
	}
	return known
}

// concerns says whether the binding is for this principal, host and operation.
func (a Access) concerns(b Binding) bool {
	return (b.Principal == a.Principal || b.Principal == anyPrincipal && strings.HasPrefix(a.Principal, "User:")) &&
		(b.Host == a.Host || b.Host == anyHost) &&
		(b.Operation == a.Operation || b.Operation == kmsg.ACLOperationAll ||
			b.Permission == kmsg.ACLPermissionTypeAllow && implies(b.Operation, a.Operation))
}

// implies says whether leave to do one thing is leave to do another. A denial
// implies nothing.
func implies(given, asked kmsg.ACLOperation) bool {
	switch asked {
	case kmsg.ACLOperationDescribe:
		return given == kmsg.ACLOperationRead || given == kmsg.ACLOperationWrite ||
			given == kmsg.ACLOperationDelete || given == kmsg.ACLOperationAlter
	case kmsg.ACLOperationDescribeConfigs:
		return given == kmsg.ACLOperationAlterConfigs
	default:
		return false
	}
}

// anywhere says whether there can be a resource of the type on which the
// access, whose name is ignored, is allowed: some binding allows it, and no
// denial covers all that this binding matches.
func (r *Rules) anywhere(a Access) bool {
	x := r.byType[a.Type]
	if x == nil {
		return false
	}
	for _, b := range x.all {
		if b.Permission == kmsg.ACLPermissionTypeAllow && a.concerns(b) && !a.eclipsed(b, x) {
			return true
		}
	}
	return false
}

// eclipsed says whether a denial covers everything that b matches.
func (a Access) eclipsed(b Binding, x *index) bool {
	covers := func(denials []Binding) bool { return a.ask(silent, denials) == denied }
	if covers(x.literal[anyName]) {
		return true
	}
	if b.Pattern == kmsg.ACLResourcePatternTypeLiteral {
		if b.Name == anyName {
			return false
		}
		if covers(x.literal[b.Name]) {
			return true
		}
	}
	for _, n := range x.lengths {
		if n > len(b.Name) {
			break
		}
		if covers(x.prefixed[b.Name[:n]]) {
			return true
		}
	}
	return false
}
