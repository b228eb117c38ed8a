package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Given is what was given at the start, once it is checked.
type Given struct {
	// Values are the settings of the table.
	Values map[string]string
	// Listener are those for one listener, which begin with listener.name.NAME.,
	// by the whole name.
	Listener map[string]string
	// Idle are the names of those without effect, in order.
	Idle []string
}

// Check checks settings that were given by name. The error tells of each that
// can't be, and why: who carries over a server.properties mends all at once, and not
// one with each start.
func Check(given map[string]string) (Given, error) {
	g := Given{Values: map[string]string{}, Listener: map[string]string{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := g.add(name, given[name]); err != nil {
			errs = append(errs, err)
		}
	}
	return g, errors.Join(errs...)
}

func (g *Given) add(name, value string) error {
	if strings.HasPrefix(name, "listener.name.") {
		return g.addListener(name, value)
	}
	d, ok := Find(Brokers, name)
	switch {
	case !ok && isLegacy(name): // files live long; Kafka itself only warns of these
		g.Idle = append(g.Idle, name)
		return nil
	case !ok:
		return unknown(name)
	}
	if d.Null && value == "" {
		return nil // as if it weren't there
	}
	if why := d.Check(value); why != "" {
		return fmt.Errorf("setting %s is %q: %s", name, shown(d, value), why)
	}
	// To go on without what somebody asked for in words could cost them their data,
	// or let in whom they meant to keep out. The default is no wish.
	switch {
	case d.Effect == Unserved && !d.isDefault(value):
		return fmt.Errorf("setting %s is %q, and isn't served: %s; take it out", name, shown(d, value), d.Note)
	case d.Effect == Meaningless:
		g.Idle = append(g.Idle, name)
	}
	g.Values[name] = value
	return nil
}

// shown is a value as errors and logs may have it.
func shown(d Def, value string) string {
	if d.Secret() {
		return "[hidden]"
	}
	return value
}

// isDefault says whether a value means the same as the default.
func (d Def) isDefault(value string) bool {
	if d.Type != kmsg.ConfigTypeList {
		return strings.EqualFold(strings.TrimSpace(value), d.Default)
	}
	have, want := SplitList(value), SplitList(d.Default) // their order means nothing
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want)
}

// perListener are the settings that can be given for one listener: those that say
// who may come in by it, and how it shows who it is.
var perListener = []string{
	"ssl.client.auth", "ssl.keystore.location", "ssl.keystore.type", "ssl.principal.mapping.rules",
	"ssl.truststore.location", "ssl.truststore.type", "sasl.enabled.mechanisms",
}

// addListener takes a setting for one listener, listener.name.NAME.SETTING, or
// for one of its mechanisms, listener.name.NAME.MECHANISM.SETTING.
func (g *Given) addListener(name, value string) error {
	_, rest, ok := strings.Cut(strings.TrimPrefix(name, "listener.name."), ".")
	if !ok {
		return unknown(name)
	}
	if d, ok := Find(Brokers, rest); ok {
		if why := d.Check(value); why != "" {
			return fmt.Errorf("setting %s is %q: %s", name, shown(d, value), why)
		}
		switch {
		case slices.Contains(perListener, rest):
			g.Listener[name] = value
			return nil
		case d.Effect == Meaningless:
			g.Idle = append(g.Idle, name)
			return nil
		case d.Effect == Unserved && d.isDefault(value):
			return nil
		}
		return fmt.Errorf("setting %s isn't served for a listener of its own; set %s for all", name, rest)
	}
	// What is no setting may be one of a mechanism: plain.sasl.jaas.config.
	mechanism, rest, _ := strings.Cut(rest, ".")
	switch {
	case mechanism == "plain" && rest == "sasl.jaas.config":
		g.Listener[name] = value
		return nil
	case rest == "sasl.jaas.config":
		// SCRAM's is for the broker's own log-in at others. OAUTHBEARER's names
		// a class and what tokens must hold, which other settings say.
		g.Idle = append(g.Idle, name)
		return nil
	case mechanism == "oauthbearer" && rest == "sasl.server.callback.handler.class" && strings.HasSuffix(value, ".OAuthBearerValidatorCallbackHandler"):
		g.Idle = append(g.Idle, name) // it is what happens here
		return nil
	}
	return unknown(name)
}

// isLegacy says whether older versions of Kafka had a setting that newer ones
// and this broker do without.
func isLegacy(name string) bool {
	return slices.Contains(legacy, name) || strings.HasPrefix(name, "zookeeper.")
}

func unknown(name string) error {
	if near := Nearest(name); near != "" {
		return fmt.Errorf("setting %s is unknown; did you mean %s?", name, near)
	}
	return fmt.Errorf("setting %s is unknown", name)
}

// Nearest is the name of the broker's setting that is most like name; "" if none
// is much like it: a suggestion that makes no sense is worse than none.
func Nearest(name string) string {
	best, at := "", max(2, len(name)/4)+1
	for _, d := range Brokers {
		if n := distance(name, d.Name, at); n < at {
			best, at = d.Name, n
		}
	}
	return best
}

// distance is how many letters to change, add or take away to make b of a, or
// limit if it is no less.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(diagonal+cost, row[j]+1, row[j+1]+1)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return min(row[len(b)], limit)
}
