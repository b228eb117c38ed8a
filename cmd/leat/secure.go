package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/leatstream/leat/broker"
)

// securityFlags are the flags of the broker command about who comes in, and
// what they may do.
type securityFlags struct {
	listeners                 []string
	tlsCert, tlsKey, clientCA string
	clientAuth                string
	principalRules            []string
	mechanisms                []string
	usersFile                 string
	keys, issuer, claim       string
	audience                  []string
	unsecured                 bool
	maxSession                time.Duration
	authorize, allowIfNone    bool
	superUsers                []string
	connections, perIP        int
	requestBytes, queuedBytes int
	idleTimeout, loginTimeout time.Duration
	inFlight                  int
}

func (f *securityFlags) add(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.listeners, "listener", nil, "a further listener, `[NAME=]PROTOCOL://HOST:PORT[,ADVERTISED]`; the protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL (may be repeated; without --listen these are all)")
	fl.StringVar(&f.tlsCert, "tls-cert", "", "PEM `file` with the broker's certificate and those of its issuers; read again when it changes")
	fl.StringVar(&f.tlsKey, "tls-key", "", "PEM `file` with its private key")
	fl.StringVar(&f.clientCA, "tls-client-ca", "", "PEM `file` with certificates of the issuers of clients' certificates")
	fl.StringVar(&f.clientAuth, "tls-client-auth", "", "whether clients show certificates: none, request or require (default require with --tls-client-ca, otherwise none)")
	fl.StringArrayVar(&f.principalRules, "tls-principal-rule", nil, "`rule` that makes a user of a certificate's subject, as ssl.principal.mapping.rules (may be repeated)")
	fl.StringSliceVar(&f.mechanisms, "sasl-mechanisms", []string{"SCRAM-SHA-512", "SCRAM-SHA-256"}, "how clients of SASL listeners log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER")
	fl.StringVar(&f.usersFile, "users-file", "", "`file` with a line NAME:PASSWORD for each user to begin with")
	fl.StringVar(&f.keys, "token-keys", "", "`file or URL` of the key set that tokens are checked with")
	fl.StringVar(&f.issuer, "token-issuer", "", "who tokens must be issued by")
	fl.StringSliceVar(&f.audience, "token-audience", nil, "whom tokens must be for, one of these")
	fl.StringVar(&f.claim, "token-claim", "sub", "the claim of a token with the user's name")
	fl.BoolVar(&f.unsecured, "token-allow-unsecured", false, "accept tokens without a signature, which anybody can make (for tests)")
	fl.DurationVar(&f.maxSession, "max-session", 0, "after how long clients have to log in again (default never, but for the end of a token)")
	fl.BoolVar(&f.authorize, "authorize", false, "let clients do only what access control lists allow them (implied by --super-users)")
	fl.StringSliceVar(&f.superUsers, "super-users", nil, "who may do everything: User:NAME,...")
	fl.BoolVar(&f.allowIfNone, "allow-if-no-acl", false, "allow everybody what no access control list is about")
	fl.IntVar(&f.connections, "max-connections", 10_000, "connections at a time")
	fl.IntVar(&f.perIP, "max-connections-per-ip", 0, "of these, from one IP address (default no limit)")
	fl.IntVar(&f.inFlight, "max-in-flight", 32, "requests of one connection that are worked on at a time")
	fl.IntVar(&f.requestBytes, "max-request-bytes", 100<<20, "the largest request")
	fl.IntVar(&f.queuedBytes, "max-queued-bytes", 1<<30, "bytes of large requests that are worked on at a time")
	fl.DurationVar(&f.idleTimeout, "idle-timeout", 10*time.Minute, "close connections that send nothing for so long")
	fl.DurationVar(&f.loginTimeout, "login-timeout", 15*time.Second, "close connections that haven't logged in after so long")
}

// apply puts the flags into a configuration. Without --listen the listeners
// given are all there are.
func (f *securityFlags) apply(c *broker.Config, fl *pflag.FlagSet) error {
	if len(f.listeners) > 0 && !fl.Changed("listen") {
		c.Listen = ""
		if c.Advertise != "" {
			return errors.New("--advertise is for --listen; with --listener it follows the address, after a comma")
		}
	}
	for _, text := range f.listeners {
		l, err := f.listener(text)
		if err != nil {
			return fmt.Errorf("--listener %q: %w", text, err)
		}
		c.Listeners = append(c.Listeners, l)
	}
	if f.usersFile != "" {
		users, err := readUsers(f.usersFile)
		if err != nil {
			return fmt.Errorf("--users-file: %w", err)
		}
		c.Users = users
	}
	if f.keys != "" || f.unsecured {
		c.Tokens = &broker.Tokens{Issuer: f.issuer, Audience: f.audience, Claim: f.claim, AllowUnsecured: f.unsecured}
		if strings.Contains(f.keys, "://") {
			c.Tokens.KeysURL = f.keys
		} else {
			c.Tokens.KeysFile = f.keys
		}
	}
	if f.authorize || len(f.superUsers) > 0 {
		c.Authorizer = &broker.Authorizer{SuperUsers: f.superUsers, AllowIfNoACL: f.allowIfNone}
	}
	c.MaxSession = f.maxSession // 0 is also what it means not to set it
	changed(fl, "max-connections", &c.Limits.Connections, f.connections)
	changed(fl, "max-connections-per-ip", &c.Limits.ConnectionsPerIP, f.perIP)
	changed(fl, "max-request-bytes", &c.Limits.RequestBytes, f.requestBytes)
	changed(fl, "max-queued-bytes", &c.Limits.QueuedBytes, f.queuedBytes)
	changed(fl, "max-in-flight", &c.Limits.InFlight, f.inFlight)
	changed(fl, "idle-timeout", &c.Limits.IdleTimeout, f.idleTimeout)
	changed(fl, "login-timeout", &c.Limits.LoginTimeout, f.loginTimeout)
	return nil
}

// changed copies a flag's value into a field if the flag was given.
func changed[T any](fl *pflag.FlagSet, name string, field *T, value T) {
	if fl.Changed(name) {
		*field = value
	}
}

// listener reads [NAME=]PROTOCOL://HOST:PORT[,ADVERTISED].
func (f *securityFlags) listener(text string) (broker.Listener, error) {
	var l broker.Listener
	rest := text
	if name, after, ok := strings.Cut(text, "="); ok {
		l.Name, rest = name, after
	}
	protocol, address, ok := strings.Cut(rest, "://")
	if !ok {
		return l, errors.New("want PROTOCOL://HOST:PORT")
	}
	l.Address, l.Advertise, _ = strings.Cut(address, ",")
	switch protocol {
	case "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL":
	default:
		return l, fmt.Errorf("the protocol %q is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL", protocol)
	}
	if strings.HasPrefix(protocol, "SASL_") {
		for _, m := range f.mechanisms {
			l.SASL = append(l.SASL, broker.Mechanism(m))
		}
	}
	if !strings.HasSuffix(protocol, "SSL") {
		return l, nil
	}
	l.TLS = &broker.TLS{CertFile: f.tlsCert, KeyFile: f.tlsKey, ClientCAFile: f.clientCA, PrincipalRules: f.principalRules}
	switch f.clientAuth {
	case "none":
	case "request":
		l.TLS.ClientAuth = broker.RequestClientCert
	case "require":
		l.TLS.ClientAuth = broker.RequireClientCert
	case "":
		if f.clientCA != "" {
			l.TLS.ClientAuth = broker.RequireClientCert
		}
	default:
		return l, fmt.Errorf("--tls-client-auth %q is not one of none, request, require", f.clientAuth)
	}
	return l, nil
}

// readUsers reads lines NAME:PASSWORD.
func readUsers(name string) ([]broker.User, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var users []broker.User
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || line[0] == '#' {
			continue
		}
		user, password, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf("%s, line %d: want NAME:PASSWORD", name, n)
		}
		users = append(users, broker.User{Name: user, Password: password})
	}
	return users, nil
}
