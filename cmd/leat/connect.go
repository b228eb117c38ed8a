package main

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/leatstream/leat/internal/client"
)

// connection is how a command reaches a cluster. Its flags are the same for all
// commands. What isn't given by a flag may be in a file, by the names that
// Kafka's own clients use.
type connection struct {
	brokers []string
	file    string

	tls                bool
	ca, cert, key      string
	serverName         string
	mechanism          string
	user, passwordFile string
	oauth              oauthFlags
}

// oauthFlags are for tokens.
type oauthFlags struct {
	url, clientID, secretFile, scope string
	assertionFile                    string
	keyFile, keyID, issuer, audience string
	subject                          string
	tokenFile                        string
}

// add adds the flags to a command's.
func (c *connection) add(fl *pflag.FlagSet) {
	fl.StringSliceVar(&c.brokers, "bootstrap-server", nil, "`HOST:PORT` of some brokers (default 127.0.0.1:9092)")
	fl.StringVar(&c.file, "command-config", "", "`file` with settings by the names of Kafka's clients, such as security.protocol; flags go before")
	fl.BoolVar(&c.tls, "tls", false, "encrypt connections, and trust whom the system trusts")
	fl.StringVar(&c.ca, "tls-ca", "", "PEM `file` with certificates of whom to trust (implies --tls)")
	fl.StringVar(&c.cert, "tls-cert", "", "PEM `file` with the certificate to show (implies --tls)")
	fl.StringVar(&c.key, "tls-key", "", "PEM `file` with its private key")
	fl.StringVar(&c.serverName, "tls-server-name", "", "`name` that the brokers' certificates must be for (default the host connected to)")
	fl.StringVar(&c.mechanism, "sasl-mechanism", "", "how to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER")
	fl.StringVar(&c.user, "sasl-user", "", "`name` to log in with")
	fl.StringVar(&c.passwordFile, "sasl-password-file", "", "`file` with the password; - is the standard input")
	o := &c.oauth
	fl.StringVar(&o.tokenFile, "oauth-token-file", "", "`file` with a token, read again for each login")
	fl.StringVar(&o.url, "oauth-token-url", "", "`URL` of the endpoint that gives tokens")
	fl.StringVar(&o.clientID, "oauth-client-id", "", "`id` of the client there (grant of client credentials)")
	fl.StringVar(&o.secretFile, "oauth-client-secret-file", "", "`file` with the client's secret")
	fl.StringVar(&o.scope, "oauth-scope", "", "`scopes` to ask for, with spaces between")
	fl.StringVar(&o.assertionFile, "oauth-assertion-file", "", "`file` with a signed assertion (JWT bearer grant)")
	fl.StringVar(&o.keyFile, "oauth-assertion-key-file", "", "PEM `file` with the private key to sign assertions with (JWT bearer grant)")
	fl.StringVar(&o.keyID, "oauth-assertion-key-id", "", "`id` of that key")
	fl.StringVar(&o.issuer, "oauth-assertion-issuer", "", "who the assertions are by")
	fl.StringVar(&o.subject, "oauth-assertion-subject", "", "who they are about (default their issuer)")
	fl.StringVar(&o.audience, "oauth-assertion-audience", "", "whom they are for (default the token URL)")
}

// config is what the flags and the file say.
func (c *connection) config() (client.Config, error) {
	var cfg client.Config
	props := properties{}
	if c.file != "" {
		text, err := os.ReadFile(c.file)
		if err != nil {
			return cfg, fmt.Errorf("--command-config: %w", err)
		}
		if props, err = parseProperties(string(text)); err != nil {
			return cfg, fmt.Errorf("%s: %w", c.file, err)
		}
	}
	cfg.Brokers = c.brokers
	if len(cfg.Brokers) == 0 {
		cfg.Brokers = props.list("bootstrap.servers")
	}
	if len(cfg.Brokers) == 0 {
		cfg.Brokers = []string{"127.0.0.1:9092"}
	}
	var err error
	if cfg.TLS, err = c.tlsConfig(props); err != nil {
		return cfg, err
	}
	if cfg.SASL, err = c.login(props); err != nil {
		return cfg, err
	}
	if unused := props.unused(); len(unused) > 0 {
		return cfg, fmt.Errorf("%s: these settings have no effect here: %s", c.file, strings.Join(unused, ", "))
	}
	return cfg, cfg.Check()
}

// tlsConfig is nil for connections without TLS.
func (c *connection) tlsConfig(p properties) (*tls.Config, error) {
	protocol := p.take("security.protocol")
	ca, cert, key := first(c.ca, p.pem("truststore")), first(c.cert, p.pem("keystore")), first(c.key, p.take("ssl.key.location"))
	anyName := p.has("ssl.endpoint.identification.algorithm") && p.take("ssl.endpoint.identification.algorithm") == ""
	if !c.tls && c.ca == "" && c.cert == "" && protocol != "SSL" && protocol != "SASL_SSL" {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.serverName}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("certificates to trust: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("certificates to trust: there is none in %s (it must be in PEM)", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, first(key, cert)) // Kafka has both in one file
		if err != nil {
			return nil, fmt.Errorf("certificate to show: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	if anyName {
		verifyChainOnly(t)
	}
	return t, nil
}

// verifyChainOnly trusts certificates whatever name they are for, if someone
// trusted has issued them.
func verifyChainOnly(t *tls.Config) {
	roots := t.RootCAs
	t.InsecureSkipVerify = true // and verify here
	t.VerifyConnection = func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}

// readSecret reads a file with one line.
func readSecret(name string) (string, error) {
	read := func() ([]byte, error) { return os.ReadFile(name) }
	if name == "-" {
		read = func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	}
	text, err := read()
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// readKey reads a private key.
func readKey(name string) (crypto.Signer, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("private key: %s isn't in PEM", name)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key %s: want one in PKCS #8, without a password: %w", name, err)
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, errors.New("private key: it can't sign")
	}
	return signer, nil
}

func first(a ...string) string {
	for _, s := range a {
		if s != "" {
			return s
		}
	}
	return ""
}
