package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/authn"
)

// Listener is an address that the broker serves, and how clients come in there.
type Listener struct {
	// Name tells listeners apart, in logs and metrics. Empty is what Kafka
	// calls the protocol: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
	Name string
	// Address is the TCP address, such as "0.0.0.0:9093"; port 0 takes any
	// free port.
	Address string
	// Advertise is the HOST:PORT that clients of this listener are told to
	// connect to. Empty is the address listened on.
	Advertise string
	// TLS encrypts connections if it is not nil.
	TLS *TLS
	// SASL are the mechanisms by which clients log in. None lets them in as
	// they are: by the name in their certificate, or without a name.
	SASL []Mechanism
}

// protocol is what Kafka calls the way in.
func (l Listener) protocol() string {
	switch {
	case l.TLS != nil && len(l.SASL) > 0:
		return "SASL_SSL"
	case len(l.SASL) > 0:
		return "SASL_PLAINTEXT"
	case l.TLS != nil:
		return "SSL"
	default:
		return "PLAINTEXT"
	}
}

// listeners are all there are to be, with their names.
func (c Config) listeners() []Listener {
	var all []Listener
	if c.Listen != "" {
		all = append(all, Listener{Address: c.Listen, Advertise: c.Advertise})
	}
	all = append(all, c.Listeners...)
	for i := range all {
		if all[i].Name == "" {
			all[i].Name = all[i].protocol()
		}
	}
	return all
}

// entrance is a listener that is open, or Dial's way in.
type entrance struct {
	cfg      Listener
	listener net.Listener // nil for Dial's own
	node     api.Node     // where clients are told to connect to
	certs    *certs       // nil without TLS
	tls      *tls.Config
	trusted  bool // clients are the program itself
}

// enter is how a client comes in by e, with its principal.
func (e *entrance) enter(principal string) api.Entrance {
	in := api.Entrance{Listener: e.cfg.Name, Principal: principal, Trusted: e.trusted}
	for _, m := range e.cfg.SASL {
		in.Mechanisms = append(in.Mechanisms, string(m))
	}
	return in
}

// nodes are where the clients of each listener find the broker.
func (b *Broker) nodes() map[string]api.Node {
	nodes := map[string]api.Node{"": b.local.node}
	for _, e := range b.entrances {
		nodes[e.cfg.Name] = e.node
	}
	return nodes
}

// listen opens the sockets.
func (b *Broker) listen() error {
	for _, l := range b.cfg.listeners() {
		e := &entrance{cfg: l}
		if l.TLS != nil {
			c, err := newCerts(*l.TLS, b.cfg.Clock, b.cfg.Logger)
			if err != nil {
				return fmt.Errorf("listener %s: %w", l.Name, err)
			}
			e.certs, e.tls = c, c.config()
		}
		var err error
		if e.listener, err = b.socket(l.Address); err != nil {
			return err
		}
		b.entrances = append(b.entrances, e)
		if e.node, err = advertised(l, e.listener.Addr()); err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) socket(address string) (net.Listener, error) {
	l, err := b.cfg.ListenFunc("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: the address is in use; stop the program that uses it, or choose another port: %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// advertised is where the clients of a listener are told to connect to.
func advertised(l Listener, listening net.Addr) (api.Node, error) {
	to := l.Advertise
	if to == "" {
		to = listening.String()
	}
	host, port, err := splitAddress(to)
	if err != nil {
		return api.Node{}, fmt.Errorf("advertise: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return api.Node{}, fmt.Errorf("advertise: clients can't connect to %s; set Advertise to the HOST:PORT under which they reach this machine", host)
	}
	return api.Node{Host: host, Port: port}, nil
}

// validateListeners reports mistakes in how clients come in.
func (c Config) validateListeners() []error {
	var errs []error
	names := map[string]bool{}
	for _, l := range c.listeners() {
		if err := c.validateListener(l); err != nil {
			errs = append(errs, err)
		}
		if names[l.Name] {
			errs = append(errs, fmt.Errorf("two listeners are called %s; give them names", l.Name))
		}
		names[l.Name] = true
	}
	return errs
}

func (c Config) validateListener(l Listener) error {
	host, _, err := net.SplitHostPort(l.Address)
	if err != nil {
		return fmt.Errorf("listen address %q: want HOST:PORT: %w", l.Address, err)
	}
	if l.Advertise != "" {
		if _, _, err := splitAddress(l.Advertise); err != nil {
			return fmt.Errorf("advertise address: %w", err)
		}
	}
	if l.TLS != nil {
		if err := l.TLS.validate(); err != nil {
			return fmt.Errorf("listener %s: %w", l.Name, err)
		}
	}
	for _, m := range l.SASL {
		if !slices.Contains([]Mechanism{Plain, ScramSHA256, ScramSHA512, OAuthBearer}, m) {
			return fmt.Errorf("listener %s: SASL mechanism %q is not one of %s, %s, %s, %s", l.Name, m, Plain, ScramSHA256, ScramSHA512, OAuthBearer)
		}
		if m == OAuthBearer && c.Tokens == nil {
			return fmt.Errorf("listener %s: %s needs Tokens, which say what tokens are good", l.Name, OAuthBearer)
		}
	}
	if c.AllowInsecureListeners || isLoopback(host) || l.TLS != nil && (len(l.SASL) > 0 || l.TLS.authenticates()) {
		return nil
	}
	return fmt.Errorf("%w: %q reaches other machines and is without %s; listen on 127.0.0.1, or allow it explicitly", ErrRemoteListen, l.Address, missing(l))
}

// missing is what a listener lacks that reaches other machines.
func missing(l Listener) string {
	authenticates := len(l.SASL) > 0 || l.TLS.authenticates()
	switch {
	case l.TLS == nil && !authenticates:
		return "encryption and authentication"
	case l.TLS == nil:
		return "encryption"
	default:
		return "authentication"
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// anonymous is the principal of clients without a name.
const anonymous = authn.Anonymous
