package broker

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// TLS encrypts the connections of a listener. Files are in PEM; they are read
// again when they have changed, for the connections that come then.
type TLS struct {
	// CertFile and KeyFile are the broker's certificate, with those of its
	// issuers, and its private key.
	CertFile, KeyFile string
	// ClientCAFile has the certificates of those who issue clients' ones.
	ClientCAFile string
	// ClientAuth says whether clients show certificates.
	ClientAuth ClientAuth
	// PrincipalRules make users of the subjects of clients' certificates, as
	// Kafka's ssl.principal.mapping.rules do: "DEFAULT", which is the whole
	// subject ("CN=alice,O=example"), or "RULE:^CN=(.*?),.*$/$1/L". The first
	// that matches counts; no rules are DEFAULT.
	PrincipalRules []string

	// Config is used instead of the files if it is not nil.
	Config *tls.Config
}

// ClientAuth says whether clients show certificates.
type ClientAuth uint8

// What clients may and must show.
const (
	NoClientCert      ClientAuth = iota // none are looked at
	RequestClientCert                   // those that are shown must be good
	RequireClientCert                   // all clients show one (mutual TLS)
)

// certs are the certificates of a listener. They are safe for concurrent use.
type certs struct {
	cfg     TLS
	mapping authn.Mapping
	clock   clock.Clock
	log     *slog.Logger

	mu      sync.Mutex
	files   [3][]byte // as last read: certificate, key, clients' issuers
	looked  time.Time // when they were
	current *tls.Config
}

// lookEvery is the time between two looks at the files.
const lookEvery = time.Second

// newCerts reads the certificates, to find mistakes.
func newCerts(cfg TLS, clk clock.Clock, log *slog.Logger) (*certs, error) {
	c := &certs{cfg: cfg, clock: clk, log: log}
	var err error
	if c.mapping, err = authn.ParseMapping(cfg.PrincipalRules); err != nil {
		return nil, err
	}
	return c, c.load()
}

// config is what a listener uses: a configuration that asks for the current
// one with each connection.
func (c *certs) config() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.latest(), nil },
	}
}

// latest is the configuration of the files as they are. If they are bad, it is
// that of the last good ones.
func (c *certs) latest() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cfg.Config != nil || c.clock.Now().Sub(c.looked) < lookEvery {
		return c.current
	}
	if err := c.load(); err != nil {
		c.log.Error("new certificates can't be used; the old ones stay", "err", err)
	}
	return c.current
}

// load reads the files, and if they have changed makes a configuration of them.
func (c *certs) load() error {
	c.looked = c.clock.Now()
	if c.cfg.Config != nil {
		c.current = c.cfg.Config.Clone()
		return nil
	}
	var files [3][]byte
	for i, name := range []string{c.cfg.CertFile, c.cfg.KeyFile, c.cfg.ClientCAFile} {
		if name == "" {
			continue
		}
		b, err := vfs.ReadForeign(name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		files[i] = b
	}
	if c.current != nil && bytes.Equal(files[0], c.files[0]) && bytes.Equal(files[1], c.files[1]) && bytes.Equal(files[2], c.files[2]) {
		return nil
	}
	next, err := c.build(files)
	if err != nil {
		if c.current != nil {
			c.files = files // complain of them once
		}
		return err
	}
	if c.current != nil {
		c.log.Info("new certificates are in use", "file", c.cfg.CertFile)
	}
	c.files, c.current = files, next
	return nil
}

func (c *certs) build(files [3][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(files[0], files[1])
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", c.cfg.CertFile, c.cfg.KeyFile, err)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, Time: c.clock.Now}
	if c.cfg.ClientAuth == NoClientCert {
		return t, nil
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(files[2]) {
		return nil, fmt.Errorf("%s has no certificate of clients' issuers", c.cfg.ClientCAFile)
	}
	t.ClientAuth = tls.VerifyClientCertIfGiven
	if c.cfg.ClientAuth == RequireClientCert {
		t.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return t, nil
}

// principal is who a client is by its certificate.
func (c *certs) principal(state tls.ConnectionState) (string, error) {
	if len(state.VerifiedChains) == 0 {
		return authn.Anonymous, nil
	}
	subject := authn.Subject(state.PeerCertificates[0])
	user, ok := c.mapping.User(subject)
	if !ok {
		return "", fmt.Errorf("no principal mapping rule is for the certificate of %q", subject)
	}
	return "User:" + user, nil
}

// validate reports what is missing.
func (t *TLS) validate() error {
	switch {
	case t.Config != nil && (t.CertFile != "" || t.KeyFile != "" || t.ClientCAFile != "" || t.ClientAuth != NoClientCert):
		return errors.New("TLS: either files or a Config are given, not both")
	case t.Config == nil && (t.CertFile == "" || t.KeyFile == ""):
		return errors.New("TLS: a certificate and a key must be given")
	case t.ClientAuth != NoClientCert && t.ClientCAFile == "":
		return errors.New("TLS: clients show certificates, but those of their issuers aren't given")
	case t.ClientAuth > RequireClientCert:
		return fmt.Errorf("TLS: unknown ClientAuth %d", t.ClientAuth)
	}
	return nil
}

// authenticates says whether every client has to show a certificate.
func (t *TLS) authenticates() bool {
	if t == nil {
		return false
	}
	return t.ClientAuth == RequireClientCert || t.Config != nil && t.Config.ClientAuth == tls.RequireAndVerifyClientCert
}
