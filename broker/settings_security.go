package broker

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatstream/leat/broker/internal/settings"
)

// settleSecurity makes users, tokens and the authorizer of the settings, where
// the fields don't say.
func (c *Config) settleSecurity(g settings.Given) error {
	for _, name := range slices.Sorted(maps.Keys(g.Listener)) {
		if strings.HasSuffix(name, ".plain.sasl.jaas.config") {
			c.addPlainUsers(g.Listener[name])
		}
	}
	c.settleTokens(g.Values)
	class := g.Values["authorizer.class.name"]
	if class == "" || c.Authorizer != nil {
		return nil
	}
	if !strings.HasSuffix(class, ".StandardAuthorizer") && !strings.HasSuffix(class, ".AclAuthorizer") {
		return fmt.Errorf("setting authorizer.class.name is %q: no Java classes run here; access control lists are those of org.apache.kafka.metadata.authorizer.StandardAuthorizer", class)
	}
	c.Authorizer = &Authorizer{AllowIfNoACL: strings.EqualFold(g.Values["allow.everyone.if.no.acl.found"], "true")}
	for u := range strings.SplitSeq(g.Values["super.users"], ";") {
		if u = strings.TrimSpace(u); u != "" {
			c.Authorizer.SuperUsers = append(c.Authorizer.SuperUsers, u)
		}
	}
	return nil
}

// jaasUser is one user of PlainLoginModule: user_NAME="PASSWORD".
var jaasUser = regexp.MustCompile(`\buser_([^\s=]+)\s*=\s*"((?:[^"\\]|\\.)*)"`)

// addPlainUsers adds the users that a line of JAAS names, unless a field names
// them.
func (c *Config) addPlainUsers(line string) {
	for _, m := range jaasUser.FindAllStringSubmatch(line, -1) {
		password := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[2])
		known := slices.ContainsFunc(c.Users, func(u User) bool { return u.Name == m[1] })
		if !known {
			c.Users = append(slices.Clip(c.Users), User{Name: m[1], Password: password})
		}
	}
}

// settleTokens says which tokens are good, if a key set is named.
func (c *Config) settleTokens(set map[string]string) {
	keys := set["sasl.oauthbearer.jwks.endpoint.url"]
	if c.Tokens != nil || keys == "" {
		return
	}
	t := &Tokens{
		Issuer:   set["sasl.oauthbearer.expected.issuer"],
		Audience: settings.SplitList(set["sasl.oauthbearer.expected.audience"]),
		Claim:    set["sasl.oauthbearer.sub.claim.name"],
	}
	if n, err := strconv.Atoi(set["sasl.oauthbearer.clock.skew.seconds"]); err == nil {
		t.Skew = time.Duration(n) * time.Second
	}
	if file, ok := strings.CutPrefix(keys, "file://"); ok {
		t.KeysFile = file
	} else {
		t.KeysURL = keys
	}
	c.Tokens = t
}
