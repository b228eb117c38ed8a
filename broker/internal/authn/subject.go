package authn

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"regexp"
	"strings"
)

// Anonymous is the principal of clients that needn't say who they are.
const Anonymous = "User:ANONYMOUS"

// Subject is a certificate's subject in the form of RFC 2253, from the most
// special part to the most general: "CN=alice,OU=dev,O=example".
func Subject(cert *x509.Certificate) string {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(cert.RawSubject, &seq); err != nil {
		return cert.Subject.String()
	}
	return seq.String()
}

// Mapping turns the subjects of certificates into users, by the rules of
// Kafka's ssl.principal.mapping.rules.
type Mapping struct{ rules []mappingRule }

type mappingRule struct {
	pattern *regexp.Regexp // nil is DEFAULT
	replace string
	change  func(string) string
}

// ParseMapping reads rules. Each is DEFAULT, the whole subject, or
// RULE:pattern/replacement/ followed by nothing, L or U, for lower or upper
// case; the first whose pattern matches the whole subject counts. No rules are
// DEFAULT.
func ParseMapping(rules []string) (Mapping, error) {
	var m Mapping
	for _, text := range rules {
		r, err := parseRule(strings.TrimSpace(text))
		if err != nil {
			return Mapping{}, err
		}
		m.rules = append(m.rules, r)
	}
	if len(m.rules) == 0 {
		m.rules = []mappingRule{{}}
	}
	return m, nil
}

// group is a reference to a group of a pattern, as Java writes it.
var group = regexp.MustCompile(`\$(\d)`)

func parseRule(text string) (mappingRule, error) {
	if text == "DEFAULT" {
		return mappingRule{}, nil
	}
	rest, ok := strings.CutPrefix(text, "RULE:")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return mappingRule{}, fmt.Errorf("principal mapping rule %q: want DEFAULT or RULE:pattern/replacement/[LU]", text)
	}
	p, err := regexp.Compile("^(?:" + parts[0] + ")$")
	if err != nil {
		return mappingRule{}, fmt.Errorf("principal mapping rule %q: %w", text, err)
	}
	r := mappingRule{pattern: p, replace: group.ReplaceAllString(parts[1], `$${$1}`)}
	switch parts[2] {
	case "":
	case "L":
		r.change = strings.ToLower
	case "U":
		r.change = strings.ToUpper
	default:
		return mappingRule{}, fmt.Errorf("principal mapping rule %q: it ends with %q, which is neither L nor U", text, parts[2])
	}
	return r, nil
}

// User is the user of a subject; false if no rule is for it.
func (m Mapping) User(subject string) (string, bool) {
	for _, r := range m.rules {
		if r.pattern == nil {
			return subject, true
		}
		if !r.pattern.MatchString(subject) {
			continue
		}
		name := r.pattern.ReplaceAllString(subject, r.replace)
		if r.change != nil {
			name = r.change(name)
		}
		return name, name != ""
	}
	return "", false
}
