package acl

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

const (
	literal  = kmsg.ACLResourcePatternTypeLiteral
	prefixed = kmsg.ACLResourcePatternTypePrefixed
	allow    = kmsg.ACLPermissionTypeAllow
	deny     = kmsg.ACLPermissionTypeDeny
	topic    = kmsg.ACLResourceTypeTopic
	group    = kmsg.ACLResourceTypeGroup
	read     = kmsg.ACLOperationRead
	write    = kmsg.ACLOperationWrite
	describe = kmsg.ACLOperationDescribe
	all      = kmsg.ACLOperationAll
)

// line is a binding for alice on topics.
func line(perm kmsg.ACLPermissionType, op kmsg.ACLOperation, pattern kmsg.ACLResourcePatternType, name string) Binding {
	return Binding{Type: topic, Name: name, Pattern: pattern, Principal: "User:alice", Host: "*", Operation: op, Permission: perm}
}

func TestPolicy_Allows(t *testing.T) {
	everybody := line(allow, read, literal, "open")
	everybody.Principal = "User:*"
	hosted := line(allow, read, literal, "hosted")
	hosted.Host = "10.0.0.1"
	others := line(allow, read, literal, "others")
	others.Principal = "User:bob"
	rules := Compile([]Binding{
		everybody, hosted, others,
		line(allow, read, literal, "orders"),
		line(allow, all, prefixed, "app-"),
		line(deny, write, prefixed, "app-secret"),
		line(deny, describe, literal, "hidden"),
		line(allow, read, literal, "hidden"),
		line(deny, read, literal, "closed"),
		line(allow, kmsg.ACLOperationAlterConfigs, literal, "configured"),
	})
	for _, c := range []struct {
		op   kmsg.ACLOperation
		name string
		want bool
	}{
		{read, "orders", true},
		{describe, "orders", true}, // implied
		{write, "orders", false},
		{read, "orders2", false},
		{write, "app-", true},
		{write, "app-x", true},
		{write, "app", false},
		{write, "app-secret-x", false},
		{read, "app-secret-x", true},
		{describe, "app-secret-x", true}, // denials imply nothing
		{read, "hidden", true},
		{describe, "hidden", false},
		{describe, "closed", false}, // nothing allows it
		{read, "open", true},
		{read, "hosted", false},
		{read, "others", false},
		{kmsg.ACLOperationDescribeConfigs, "configured", true},
		{describe, "configured", false},
	} {
		a := Access{Principal: "User:alice", Host: "10.0.0.9", Operation: c.op, Type: topic, Name: c.name}
		if got := (Policy{}).Allows(rules, a); got != c.want {
			t.Errorf("%s %s: %v", c.op, c.name, got)
		}
	}
	at := Access{Principal: "User:alice", Host: "10.0.0.1", Operation: read, Type: topic, Name: "hosted"}
	if !(Policy{}).Allows(rules, at) {
		t.Error("from its host it is allowed")
	}
	at = Access{Principal: "User:carol", Host: "h", Operation: read, Type: topic, Name: "orders"}
	if (Policy{AllowIfNone: true}).Allows(rules, at) {
		t.Error("there is a list, and carol isn't on it")
	}
	if at.Name = "unlisted"; !(Policy{AllowIfNone: true}).Allows(rules, at) || (Policy{}).Allows(rules, at) {
		t.Error("what holds without a list")
	}
	if at.Name = "orders"; !(Policy{SuperUsers: map[string]bool{"User:carol": true}}).Allows(rules, at) {
		t.Error("a super user is refused")
	}
	if at.Type = group; (Policy{}).Allows(rules, at) {
		t.Error("a list of topics holds for groups")
	}
}

func drawBinding(t *rapid.T) Binding {
	return Binding{
		Type: topic, Name: rapid.SampledFrom([]string{"*", "a", "ab", "abc", "b"}).Draw(t, "name"),
		Pattern:    rapid.SampledFrom([]kmsg.ACLResourcePatternType{literal, prefixed}).Draw(t, "pattern"),
		Principal:  rapid.SampledFrom([]string{"User:alice", "User:bob", "User:*"}).Draw(t, "principal"),
		Host:       rapid.SampledFrom([]string{"*", "h1", "h2"}).Draw(t, "host"),
		Operation:  rapid.SampledFrom([]kmsg.ACLOperation{read, write, describe, all}).Draw(t, "op"),
		Permission: rapid.SampledFrom([]kmsg.ACLPermissionType{allow, deny}).Draw(t, "permission"),
	}
}

// plainly decides by looking at every binding.
func plainly(bindings []Binding, a Access) bool {
	ok := false
	for _, b := range bindings {
		name := b.Pattern == literal && (b.Name == "*" || b.Name == a.Name) || b.Pattern == prefixed && strings.HasPrefix(a.Name, b.Name)
		who := (b.Principal == "User:*" || b.Principal == a.Principal) && (b.Host == "*" || b.Host == a.Host)
		if !name || !who {
			continue
		}
		same := b.Operation == a.Operation || b.Operation == all
		if b.Permission == deny && same {
			return false
		}
		if b.Permission == allow && (same || a.Operation == describe && (b.Operation == read || b.Operation == write)) {
			ok = true
		}
	}
	return ok
}

func TestPolicy_AllowsAsPlainSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bindings := Add(nil, rapid.SliceOfN(rapid.Custom(drawBinding), 0, 12).Draw(t, "bindings")...)
		rules := Compile(bindings)
		possible := false
		a := Access{Principal: "User:alice", Host: "h1", Type: topic, Operation: rapid.SampledFrom([]kmsg.ACLOperation{read, write, describe}).Draw(t, "op")}
		for _, name := range []string{"a", "ab", "abc", "abcd", "b", "bc", "zzz", "*", "*x", "**"} {
			a.Name = name
			want := plainly(bindings, a)
			possible = possible || want
			if got := (Policy{}).Allows(rules, a); got != want {
				t.Fatalf("%+v: %v", a, got)
			}
		}
		// A topic that shows that some can be accessed proves it; there may be
		// others.
		if got := (Policy{}).AllowsAny(rules, a); possible && !got {
			t.Fatalf("%+v: allowed nowhere", a)
		}
	})
}

func TestPolicy_AllowsAny(t *testing.T) {
	for name, c := range map[string]struct {
		bindings []Binding
		none     bool // AllowIfNone
		want     bool
	}{
		"nothing":              {nil, false, false},
		"nothing is allowed":   {nil, true, true},
		"one":                  {[]Binding{line(allow, write, literal, "t")}, false, true},
		"denied":               {[]Binding{line(allow, write, literal, "t"), line(deny, write, literal, "t")}, false, false},
		"denied by a prefix":   {[]Binding{line(allow, write, prefixed, "ab"), line(deny, all, prefixed, "a")}, false, false},
		"denied in part":       {[]Binding{line(allow, write, prefixed, "a"), line(deny, all, prefixed, "ab")}, false, true},
		"all, denied in part":  {[]Binding{line(allow, write, literal, "*"), line(deny, all, prefixed, "ab")}, false, true},
		"denied everywhere":    {[]Binding{line(allow, write, prefixed, "a"), line(deny, write, literal, "*")}, true, false},
		"reading isn't enough": {[]Binding{line(allow, read, literal, "*")}, false, false},
	} {
		a := Access{Principal: "User:alice", Host: "h", Operation: write, Type: topic}
		if got := (Policy{AllowIfNone: c.none}).AllowsAny(Compile(c.bindings), a); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestFilter(t *testing.T) {
	list := []Binding{
		line(allow, read, literal, "*"), line(allow, read, literal, "orders"), line(allow, read, literal, "ord"),
		line(allow, write, prefixed, "ord"), line(deny, all, prefixed, "x"),
	}
	name := func(s string) *string { return &s }
	for _, c := range []struct {
		about string
		f     Filter
		want  []int
	}{
		{"everything", Filter{Type: 1, Pattern: 1, Operation: 1, Permission: 1}, []int{0, 1, 2, 3, 4}},
		{"of a name", Filter{Type: 1, Name: name("ord"), Pattern: 1, Operation: 1, Permission: 1}, []int{2, 3}},
		{"for a name", Filter{Type: 1, Name: name("orders"), Pattern: kmsg.ACLResourcePatternTypeMatch, Operation: 1, Permission: 1}, []int{0, 1, 3}},
		{"literal", Filter{Type: topic, Name: name("ord"), Pattern: literal, Operation: 1, Permission: 1}, []int{2}},
		{"denials", Filter{Type: 1, Pattern: 1, Operation: 1, Permission: deny}, []int{4}},
		{"of bob", Filter{Type: 1, Pattern: 1, Principal: name("User:bob"), Operation: 1, Permission: 1}, nil},
		{"of groups", Filter{Type: group, Pattern: 1, Operation: 1, Permission: 1}, nil},
	} {
		if err := c.f.Check(); err != nil {
			t.Errorf("%s: %v", c.about, err)
		}
		var want []Binding
		for _, i := range c.want {
			want = append(want, list[i])
		}
		got, rest := c.f.Select(list)
		if diff := cmp.Diff(want, got); diff != "" || len(got)+len(rest) != len(list) {
			t.Errorf("%s: %s", c.about, diff)
		}
	}
	if (Filter{}).Check() == nil {
		t.Error("a filter of unknowns is good")
	}
}

func TestBinding_Check(t *testing.T) {
	if err := line(allow, read, literal, "t").Check(); err != nil {
		t.Fatal(err)
	}
	for about, change := range map[string]func(*Binding){
		"no name":       func(b *Binding) { b.Name = "" },
		"any type":      func(b *Binding) { b.Type = kmsg.ACLResourceTypeAny },
		"other cluster": func(b *Binding) { b.Type = kmsg.ACLResourceTypeCluster },
		"match":         func(b *Binding) { b.Pattern = kmsg.ACLResourcePatternTypeMatch },
		"any operation": func(b *Binding) { b.Operation = kmsg.ACLOperationAny },
		"any":           func(b *Binding) { b.Permission = kmsg.ACLPermissionTypeAny },
		"no principal":  func(b *Binding) { b.Principal = "alice" },
		"no host":       func(b *Binding) { b.Host = "" },
	} {
		b := line(allow, read, literal, "t")
		change(&b)
		if b.Check() == nil {
			t.Errorf("%s: it is good", about)
		}
	}
}

// TestBinding_JSON stores and reads bindings of all kinds.
func TestBinding_JSON(t *testing.T) {
	for op := kmsg.ACLOperationAll; op <= maxOperation; op++ {
		for kind := topic; kind <= kmsg.ACLResourceTypeUser; kind++ {
			want := line(deny, op, prefixed, ClusterName)
			want.Type = kind
			b, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got Binding
			if err := json.Unmarshal(b, &got); err != nil || got != want {
				t.Fatalf("%s: %+v, %v", b, got, err)
			}
		}
	}
}

func TestAdd(t *testing.T) {
	a, b := line(allow, read, literal, "a"), line(allow, read, literal, "b")
	list := []Binding{b}
	if got := Add(list, a, b, a); !slices.Equal(got, []Binding{a, b}) || list[0] != b {
		t.Errorf("%+v", got)
	}
}
