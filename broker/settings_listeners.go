package broker

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/leatstream/leat/broker/internal/settings"
)

// listenerProtocols are what listeners may speak, by Kafka's names.
var listenerProtocols = []string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}

// settleListeners makes listeners of the settings, unless fields name any. The
// listeners of controllers, which are none here, are left out.
func (c *Config) settleListeners(g settings.Given) error {
	if c.Listen != "" || len(c.Listeners) > 0 || g.Values["listeners"] == "" {
		return nil
	}
	advertised, err := endpoints(g.Values["advertised.listeners"])
	if err != nil {
		return fmt.Errorf("advertised.listeners: %w", err)
	}
	listed, err := endpoints(g.Values["listeners"])
	if err != nil {
		return fmt.Errorf("listeners: %w", err)
	}
	protocolOf, err := protocolMap(g.Values["listener.security.protocol.map"])
	if err != nil {
		return fmt.Errorf("listener.security.protocol.map: %w", err)
	}
	controllers := settings.SplitList(g.Values["controller.listener.names"])
	for _, e := range listed {
		if slices.Contains(controllers, e.name) {
			continue
		}
		protocol, ok := protocolOf[e.name]
		if !ok {
			return fmt.Errorf("listeners: listener.security.protocol.map doesn't say which protocol %s speaks", e.name)
		}
		l, err := listenerOf(g, e, protocol)
		if err != nil {
			return fmt.Errorf("listener %s: %w", e.name, err)
		}
		for _, a := range advertised {
			if a.name == e.name {
				l.Advertise = a.address
			}
		}
		c.Listeners = append(c.Listeners, l)
	}
	return nil
}

// endpoint is NAME://ADDRESS.
type endpoint struct{ name, address string }

func endpoints(text string) ([]endpoint, error) {
	var list []endpoint
	for _, one := range settings.SplitList(text) {
		name, address, ok := strings.Cut(one, "://")
		if !ok || name == "" {
			return nil, fmt.Errorf("%q: want NAME://HOST:PORT", one)
		}
		list = append(list, endpoint{strings.ToUpper(name), address})
	}
	return list, nil
}

// protocolMap reads NAME:PROTOCOL,..., over what the names of the protocols
// mean by themselves.
func protocolMap(text string) (map[string]string, error) {
	m := map[string]string{}
	for _, p := range listenerProtocols {
		m[p] = p
	}
	for _, one := range settings.SplitList(text) {
		name, protocol, ok := strings.Cut(one, ":")
		if !ok || !slices.Contains(listenerProtocols, strings.ToUpper(protocol)) {
			return nil, fmt.Errorf("%q: want NAME:PROTOCOL, with one of %s", one, strings.Join(listenerProtocols, ", "))
		}
		m[strings.ToUpper(name)] = strings.ToUpper(protocol)
	}
	return m, nil
}

// forListener is a setting for a listener: its own, or that for all.
func forListener(g settings.Given, listener, name string) string {
	if v, ok := g.Listener["listener.name."+strings.ToLower(listener)+"."+name]; ok {
		return v
	}
	if v, ok := g.Values[name]; ok {
		return v
	}
	d, _ := settings.Find(settings.Brokers, name)
	return d.Default
}

func listenerOf(g settings.Given, e endpoint, protocol string) (Listener, error) {
	l := Listener{Name: e.name, Address: e.address}
	if strings.HasPrefix(protocol, "SASL_") {
		for _, m := range settings.SplitList(forListener(g, e.name, "sasl.enabled.mechanisms")) {
			l.SASL = append(l.SASL, Mechanism(m))
		}
	}
	if !strings.HasSuffix(protocol, "SSL") {
		return l, nil
	}
	for _, store := range []string{"keystore", "truststore"} {
		kind := forListener(g, e.name, "ssl."+store+".type")
		if forListener(g, e.name, "ssl."+store+".location") != "" && !strings.EqualFold(kind, "PEM") {
			return l, fmt.Errorf("ssl.%s.type is %q; only PEM can be read: convert the store, for instance with keytool and openssl", store, kind)
		}
	}
	file := forListener(g, e.name, "ssl.keystore.location")
	l.TLS = &TLS{
		CertFile: file, KeyFile: file, ClientCAFile: forListener(g, e.name, "ssl.truststore.location"),
		PrincipalRules: splitRules(forListener(g, e.name, "ssl.principal.mapping.rules")),
	}
	switch forListener(g, e.name, "ssl.client.auth") {
	case "required":
		l.TLS.ClientAuth = RequireClientCert
	case "requested":
		l.TLS.ClientAuth = RequestClientCert
	default:
		l.TLS.ClientCAFile = "" // nobody shows a certificate to be checked
	}
	return l, nil
}

// ruleStart is where a rule begins after a comma. Rules have commas in them.
var ruleStart = regexp.MustCompile(`,\s*(?:RULE:|DEFAULT)`)

// splitRules splits ssl.principal.mapping.rules.
func splitRules(text string) []string {
	var rules []string
	for text = strings.TrimSpace(text); text != ""; {
		at := ruleStart.FindStringIndex(text)
		if at == nil {
			return append(rules, text)
		}
		rules = append(rules, strings.TrimSpace(text[:at[0]]))
		text = strings.TrimSpace(text[at[0]+1:])
	}
	return rules
}
