package integration

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/stream"
)

// fortress is a cluster with TLS, logins and access control lists, on which the
// user admin may do everything and app what it is allowed.
type fortress struct {
	cluster        // as admin
	sasl    string // the address for logins
	mutual  string // the address for client certificates
	trust   *tls.Config
	client  tls.Certificate // of CN=app
}

// TestScenarioSecured runs an app with exactly the rights that its topology says
// it needs, logged in by each of the ways there are.
func TestScenarioSecured(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { secured(t, embeddedFortress(t)) })
	t.Run("kafka", func(t *testing.T) {
		if os.Getenv("KAFKA_SECURE_ADDR") == "" {
			t.Skip("KAFKA_SECURE_ADDR is not set; `make kafka` starts a real broker and sets it")
		}
		secured(t, kafkaFortress(t))
	})
}

func secured(t *testing.T, f fortress) {
	server := newTokenServer(t)
	credentials := stream.ClientCredentials{TokenURL: server.URL, ClientID: "app", ClientSecret: "app-secret", Scopes: []string{"kafka"}}
	bearer := stream.JWTBearer{TokenURL: server.URL, Key: server.key, Issuer: "app"}
	password := func(m stream.Mechanism) func(*stream.Config) {
		return func(c *stream.Config) {
			c.SASL = &stream.SASL{Mechanism: m, User: "app", Password: "app-secret"}
		}
	}
	token := func(source stream.TokenSource) func(*stream.Config) {
		return func(c *stream.Config) { c.SASL = &stream.SASL{Mechanism: stream.OAuthBearer, Token: source} }
	}
	for name, c := range map[string]struct {
		principal string
		login     func(*stream.Config)
	}{
		"PLAIN":              {"User:app", password(stream.Plain)},
		"SCRAM-SHA-256":      {"User:app", password(stream.ScramSHA256)},
		"SCRAM-SHA-512":      {"User:app", password(stream.ScramSHA512)},
		"client credentials": {"User:app", token(credentials.Token)},
		"JWT bearer":         {"User:app", token(bearer.Token)},
		"mutual TLS": {"User:CN=app", func(c *stream.Config) {
			c.Brokers = []string{f.mutual}
			c.TLS = f.trust.Clone()
			c.TLS.Certificates = []tls.Certificate{f.client}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := unique("lines"), unique("totals")
			f.create(t, 2, in, out)
			topo := wordCount(in, out)
			cfg := stream.Config{
				ApplicationID: unique("app"), Brokers: []string{f.sasl}, TLS: f.trust.Clone(),
				StateDir: t.TempDir(), CommitInterval: 100 * time.Millisecond,
			}
			c.login(&cfg)
			lines, want := text(200, 1)
			f.produce(t, in, lines...)

			if err := f.run(t, topo, cfg); err == nil || !strings.Contains(err.Error(), "AUTHORIZATION_FAILED") {
				t.Errorf("without rights: %v", err)
			}
			f.grant(t, c.principal, topo.ACLs(cfg))
			ctx, stop := context.WithCancel(t.Context())
			a, err := stream.New(topo, cfg)
			if err != nil {
				t.Fatal(err)
			}
			run := &app{a, stop, make(chan error, 1)}
			go func() { run.done <- a.Run(ctx) }()
			t.Cleanup(func() { run.end(t) })
			f.awaitCounts(t, "the app counts with the rights it says it needs", out, want)
		})
	}
}

// run runs an app that should end by itself.
func (f fortress) run(t *testing.T, topo *stream.Topology, cfg stream.Config) error {
	t.Helper()
	a, err := stream.New(topo, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a.Run(timeout(t, 60*time.Second))
}

// grant gives a principal rights.
func (f fortress) grant(t *testing.T, principal string, rights []stream.ACL) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, r := range rights {
		for _, name := range r.Operations {
			op, err := kmsg.ParseACLOperation(name)
			if err != nil {
				t.Fatal(err)
			}
			kind, err := kmsg.ParseACLResourceType(r.Resource)
			if err != nil {
				t.Fatal(err)
			}
			c := kmsg.NewCreateACLsRequestCreation()
			c.ResourceType, c.ResourceName, c.ResourcePatternType = kind, r.Name, kmsg.ACLResourcePatternTypeLiteral
			if r.Prefix {
				c.ResourcePatternType = kmsg.ACLResourcePatternTypePrefixed
			}
			c.Principal, c.Host, c.Operation, c.PermissionType = principal, "*", op, kmsg.ACLPermissionTypeAllow
			req.Creations = append(req.Creations, c)
		}
	}
	resp, err := req.RequestWith(timeout(t, 30*time.Second), f.cluster.client(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resp.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// adminLogin is for the clients of the test itself.
func adminLogin(trust *tls.Config) []kgo.Opt {
	return []kgo.Opt{
		kgo.SASL(scram.Auth{User: "admin", Pass: "admin-secret"}.AsSha512Mechanism()),
		kgo.DialTLSConfig(trust.Clone()),
	}
}

// kafkaFortress is the broker of integration/kafka/broker.sh secure.
func kafkaFortress(t *testing.T) fortress {
	t.Helper()
	dir := os.Getenv("KAFKA_SECURE_DIR")
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	f := fortress{sasl: os.Getenv("KAFKA_SECURE_ADDR"), mutual: os.Getenv("KAFKA_SECURE_MUTUAL_ADDR")}
	f.trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	f.trust.RootCAs.AppendCertsFromPEM(ca)
	if f.client, err = tls.LoadX509KeyPair(filepath.Join(dir, "app.pem"), filepath.Join(dir, "app.key")); err != nil {
		t.Fatal(err)
	}
	f.cluster = cluster{"kafka", []string{f.sasl}, nil, adminLogin(f.trust)}
	return f
}

// embeddedFortress is an embedded broker with the same.
func embeddedFortress(t *testing.T) fortress {
	t.Helper()
	dir := t.TempDir()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	ca := writeCert(t, dir, "ca", template, template, key, key)
	issue := func(name string) (cert, private string) {
		k := newKey(t)
		c := &x509.Certificate{
			SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		return writeCert(t, dir, name, c, template, k, key), filepath.Join(dir, name+".key")
	}
	cert, private := issue("broker")
	files := broker.TLS{CertFile: cert, KeyFile: private}
	mutual := files
	mutual.ClientCAFile, mutual.ClientAuth = ca, broker.RequireClientCert
	b, err := broker.Start(broker.Config{
		Listeners: []broker.Listener{
			{Address: "127.0.0.1:0", TLS: &files, SASL: []broker.Mechanism{broker.Plain, broker.ScramSHA256, broker.ScramSHA512, broker.OAuthBearer}},
			{Address: "127.0.0.1:0", TLS: &mutual},
		},
		Users:      []broker.User{{Name: "admin", Password: "admin-secret"}, {Name: "app", Password: "app-secret"}},
		Tokens:     &broker.Tokens{AllowUnsecured: true},
		Authorizer: &broker.Authorizer{SuperUsers: []string{"User:admin"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	f := fortress{sasl: b.ListenerAddr("SASL_SSL"), mutual: b.ListenerAddr("SSL")}
	f.trust = &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	f.trust.RootCAs.AppendCertsFromPEM(text)
	if f.client, err = tls.LoadX509KeyPair(issue("app")); err != nil {
		t.Fatal(err)
	}
	f.cluster = cluster{"embedded", []string{f.sasl}, nil, adminLogin(f.trust)}
	return f
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// writeCert writes a certificate and its key, and returns where the former is.
func writeCert(t *testing.T, dir, name string, c, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name+".pem")
	for file, block := range map[string]*pem.Block{
		path:                            {Type: "CERTIFICATE", Bytes: der},
		filepath.Join(dir, name+".key"): {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// tokenServer gives tokens without signatures to the client app, by both grants.
type tokenServer struct {
	*httptest.Server
	key *ecdsa.PrivateKey // that assertions must be signed with
}

func newTokenServer(t *testing.T) *tokenServer {
	s := &tokenServer{key: newKey(t)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.check(r); err != nil {
			http.Error(w, fmt.Sprintf(`{"error":"invalid_grant","error_description":%q}`, err), http.StatusBadRequest)
			return
		}
		now := time.Now().Unix()
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"token_type": "Bearer", "expires_in": 300,
			"access_token": part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"sub":"app","iat":%d,"exp":%d}`, now, now+300)) + ".",
		})
	}))
	t.Cleanup(s.Close)
	return s
}

// check checks what a client shows.
func (s *tokenServer) check(r *http.Request) error {
	switch grant := r.FormValue("grant_type"); grant {
	case "client_credentials":
		if id, secret, _ := r.BasicAuth(); id != "app" || secret != "app-secret" || r.FormValue("scope") != "kafka" {
			return fmt.Errorf("client %q", id)
		}
		return nil
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		token, err := jwt.ParseSigned(r.FormValue("assertion"), []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return err
		}
		var c jwt.Claims
		if err := token.Claims(&s.key.PublicKey, &c); err != nil {
			return err
		}
		return c.Validate(jwt.Expected{Issuer: "app", Subject: "app", AnyAudience: jwt.Audience{s.URL}})
	default:
		return fmt.Errorf("grant %q", grant)
	}
}
