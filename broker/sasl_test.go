package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/leatstream/leat/broker/internal/vfs"
)

var allMechanisms = []Mechanism{Plain, ScramSHA256, ScramSHA512}

func mechanism(m Mechanism, user, pass string) sasl.Mechanism {
	switch m {
	case ScramSHA256:
		return scram.Auth{User: user, Pass: pass}.AsSha256Mechanism()
	case ScramSHA512:
		return scram.Auth{User: user, Pass: pass}.AsSha512Mechanism()
	default:
		return plain.Auth{User: user, Pass: pass}.AsMechanism()
	}
}

// secured is a configuration with a listener for passwords.
func secured(mechanisms ...Mechanism) Config {
	return Config{
		Listeners: []Listener{{Address: "127.0.0.1:0", SASL: mechanisms}},
		Users:     []User{{"alice", "alice's"}, {"bob", "bob's"}},
	}
}

func TestSASL_Passwords(t *testing.T) {
	b := start(t, secured(allMechanisms...))
	for _, m := range allMechanisms {
		if err := ping(t, b.Addr(), kgo.SASL(mechanism(m, "alice", "alice's"))); err != nil {
			t.Errorf("%s: %v", m, err)
		}
		for name, wrong := range map[string]sasl.Mechanism{
			"wrong password": mechanism(m, "alice", "bob's"),
			"unknown user":   mechanism(m, "carol", "alice's"),
		} {
			if err := ping(t, b.Addr(), kgo.SASL(wrong)); !errors.Is(err, kerr.SaslAuthenticationFailed) {
				t.Errorf("%s, %s: %v", m, name, err)
			}
		}
	}
	if err := ping(t, b.Addr()); err == nil {
		t.Error("a client that doesn't log in got in")
	}
}

func TestSASL_MechanismNotOffered(t *testing.T) {
	b := start(t, secured(ScramSHA512))
	if err := ping(t, b.Addr(), kgo.SASL(mechanism(Plain, "alice", "alice's"))); !errors.Is(err, kerr.UnsupportedSaslMechanism) {
		t.Error(err)
	}
}

// TestSASL_ManageUsers makes, changes and deletes a user as an administrator
// does, over a restart.
func TestSASL_ManageUsers(t *testing.T) {
	cfg := secured(allMechanisms...)
	fs := vfs.NewMem()
	cfg.fs = fs
	cfg.Authorizer = &Authorizer{SuperUsers: []string{"User:alice"}}
	b := start(t, cfg)
	admin := kadm.NewClient(client(t, b, kgo.SASL(mechanism(ScramSHA256, "alice", "alice's"))))
	set := func(b *kadm.Client, user, pass string) error {
		got, err := b.AlterUserSCRAMs(timeout(t), nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 5000, Password: pass}})
		if err != nil {
			return err
		}
		return got.Error()
	}
	if err := set(admin, "carol", "first"); err != nil {
		t.Fatal(err)
	}
	if err := set(admin, "carol", "second"); err != nil {
		t.Fatal(err)
	}
	if err := set(kadm.NewClient(client(t, b, kgo.SASL(mechanism(ScramSHA256, "bob", "bob's")))), "bob", "x"); !errors.Is(err, kerr.ClusterAuthorizationFailed) {
		t.Errorf("bob changes passwords: %v", err)
	}
	if err := set(admin, "alice", "new"); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	b = start(t, cfg)
	for _, c := range []struct {
		m          Mechanism
		user, pass string
		ok         bool
	}{
		{ScramSHA512, "carol", "second", true},
		{Plain, "carol", "second", true},
		{ScramSHA512, "carol", "first", false},
		{ScramSHA256, "carol", "second", false}, // has no such credential
		{Plain, "alice", "alice's", false},
		{ScramSHA512, "alice", "new", true}, // kept, whatever the configuration says
	} {
		if err := ping(t, b.Addr(), kgo.SASL(mechanism(c.m, c.user, c.pass))); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
	admin = kadm.NewClient(client(t, b, kgo.SASL(mechanism(ScramSHA512, "alice", "new"))))
	known, err := admin.DescribeUserSCRAMs(timeout(t))
	if err != nil || len(known) != 3 || known["carol"].CredInfos[0].Iterations != 5000 {
		t.Errorf("users %+v, %v", known, err)
	}
	gone, err := admin.AlterUserSCRAMs(timeout(t), []kadm.DeleteSCRAM{{User: "carol", Mechanism: kadm.ScramSha512}}, nil)
	if err != nil || gone.Error() != nil {
		t.Errorf("delete: %v, %v", err, gone)
	}
	if err := ping(t, b.Addr(), kgo.SASL(mechanism(ScramSHA512, "carol", "second"))); !errors.Is(err, kerr.SaslAuthenticationFailed) {
		t.Errorf("a deleted user: %v", err)
	}
}

// signed makes tokens, and the file with the key to check them.
func signed(t *testing.T) (file string, sign func(jwt.Claims) string) {
	t.Helper()
	key := newKey(t)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k1", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, set, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, func(c jwt.Claims) string {
		s, err := jwt.Signed(signer).Claims(c).Serialize()
		if err != nil {
			t.Error(err)
		}
		return s
	}
}

func TestSASL_Tokens(t *testing.T) {
	keys, sign := signed(t)
	_, forge := signed(t)
	b := start(t, Config{
		Listeners: []Listener{{Address: "127.0.0.1:0", SASL: []Mechanism{OAuthBearer}}},
		Tokens:    &Tokens{KeysFile: keys, Issuer: "https://issuer.example", Audience: []string{"kafka"}},
	})
	good := jwt.Claims{
		Subject: "app", Issuer: "https://issuer.example", Audience: jwt.Audience{"kafka", "other"},
		Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}
	with := func(change func(*jwt.Claims)) jwt.Claims {
		c := good
		change(&c)
		return c
	}
	unsecured := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"app","iss":"https://issuer.example","aud":"kafka","exp":9999999999}`)) + "."
	for name, c := range map[string]struct {
		token string
		ok    bool
	}{
		"good":              {sign(good), true},
		"another's key":     {forge(good), false},
		"expired":           {sign(with(func(c *jwt.Claims) { c.Expiry = jwt.NewNumericDate(time.Now().Add(-time.Hour)) })), false},
		"without an expiry": {sign(with(func(c *jwt.Claims) { c.Expiry = nil })), false},
		"not yet valid":     {sign(with(func(c *jwt.Claims) { c.NotBefore = jwt.NewNumericDate(time.Now().Add(time.Hour)) })), false},
		"another issuer":    {sign(with(func(c *jwt.Claims) { c.Issuer = "https://other.example" })), false},
		"another audience":  {sign(with(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other"} })), false},
		"nobody's":          {sign(with(func(c *jwt.Claims) { c.Subject = "" })), false},
		"unsecured":         {unsecured, false},
		"nonsense":          {"nonsense", false},
	} {
		err := ping(t, b.Addr(), kgo.SASL(oauth.Auth{Token: c.token}.AsMechanism()))
		if c.ok != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSASL_SessionEnds has clients log in again in time. It runs inside a
// bubble, over the listener's way in but without its socket.
func TestSASL_SessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logins := atomic.Int64{}
		cfg := secured(ScramSHA256)
		cfg.MaxSession = time.Minute
		cfg.MaintenanceInterval = -1
		cfg.ListenFunc = silent
		b, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		counted := scram.Sha256(func(context.Context) (scram.Auth, error) {
			logins.Add(1)
			return scram.Auth{User: "alice", Pass: "alice's"}, nil
		})
		c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.SASL(counted))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req := kmsg.NewPtrMetadataRequest()
		for range 10 {
			if _, err := req.RequestWith(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
		}
		if n := logins.Load(); n < 4 {
			t.Errorf("%d logins in five minutes of sessions of one", n)
		}
	})
}

// silent is a listener that nobody connects to.
func silent(_, _ string) (net.Listener, error) { return nobody{make(chan struct{})}, nil }

type nobody struct{ closed chan struct{} }

func (n nobody) Accept() (net.Conn, error) { <-n.closed; return nil, net.ErrClosed }
func (n nobody) Addr() net.Addr            { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9999} }

func (n nobody) Close() error {
	select {
	case <-n.closed:
	default:
		close(n.closed)
	}
	return nil
}

// exchange sends a request, with what it returns decoded into resp.
func exchange(t *testing.T, c net.Conn, req kmsg.Request, version int16) (kmsg.Response, error) {
	t.Helper()
	if _, err := c.Write(rawRequest(req, req.Key(), version)); err != nil {
		return nil, err
	}
	b, err := answer(c)
	if err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	b = b[4:]
	if resp.IsFlexible() && req.Key() != 18 {
		b = b[1:]
	}
	return resp, resp.ReadFrom(b)
}

func shake(t *testing.T, c net.Conn, mechanism string, version int16) *kmsg.SASLHandshakeResponse {
	t.Helper()
	req := kmsg.NewPtrSASLHandshakeRequest()
	req.Mechanism = mechanism
	resp, err := exchange(t, c, req, version)
	if err != nil {
		t.Fatal(err)
	}
	return resp.(*kmsg.SASLHandshakeResponse)
}

// TestSASL_RawTokens is what the oldest clients do.
func TestSASL_RawTokens(t *testing.T) {
	b := start(t, secured(Plain))
	c := dial(t, b)
	if resp := shake(t, c, "PLAIN", 0); resp.ErrorCode != 0 {
		t.Fatalf("%+v", resp)
	}
	token := []byte("\x00alice\x00alice's")
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(token))), token...)); err != nil {
		t.Fatal(err)
	}
	if got, err := answer(c); err != nil || len(got) != 0 {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := exchange(t, c, kmsg.NewPtrMetadataRequest(), 9); err != nil {
		t.Errorf("a request after that: %v", err)
	}
}

// TestSASL_Order sends requests that are not due.
func TestSASL_Order(t *testing.T) {
	b := start(t, secured(Plain))
	auth := kmsg.NewPtrSASLAuthenticateRequest()
	auth.SASLAuthBytes = []byte("\x00alice\x00alice's")
	metadata := kmsg.NewPtrMetadataRequest()
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "test", "1"
	hands := kmsg.NewPtrSASLHandshakeRequest()
	hands.Mechanism = "PLAIN"
	for name, c := range map[string]struct {
		requests []kmsg.Request
		answered int
	}{
		"metadata first":           {[]kmsg.Request{metadata}, 0},
		"versions and metadata":    {[]kmsg.Request{versions, metadata}, 1},
		"token without hands":      {[]kmsg.Request{auth}, 0},
		"metadata instead of one":  {[]kmsg.Request{hands, metadata}, 1},
		"versions instead of one":  {[]kmsg.Request{hands, versions}, 1},
		"as it should be":          {[]kmsg.Request{versions, hands, auth, metadata}, 4},
		"a token after the login":  {[]kmsg.Request{hands, auth, auth, metadata}, 4},
		"another login is allowed": {[]kmsg.Request{hands, auth, metadata, hands, auth, metadata}, 6},
	} {
		conn := dial(t, b)
		n := 0
		for _, r := range c.requests {
			version := min(r.MaxVersion(), 1)
			if r.Key() == 3 {
				version = 9
			}
			if _, err := exchange(t, conn, r, version); err != nil {
				if errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%s: the connection isn't closed", name)
				}
				break
			}
			n++
		}
		if n != c.answered {
			t.Errorf("%s: %d answers, want %d", name, n, c.answered)
		}
	}
}

// TestSASL_NoOtherUser logs in again as somebody else.
func TestSASL_NoOtherUser(t *testing.T) {
	b := start(t, secured(Plain))
	c := dial(t, b)
	for i, user := range []string{"alice", "bob"} {
		shake(t, c, "PLAIN", 1)
		req := kmsg.NewPtrSASLAuthenticateRequest()
		req.SASLAuthBytes = fmt.Appendf(nil, "\x00%s\x00%s's", user, user)
		resp, err := exchange(t, c, req, 2)
		if err != nil {
			t.Fatal(err)
		}
		if code := resp.(*kmsg.SASLAuthenticateResponse).ErrorCode; (code != 0) != (i == 1) {
			t.Errorf("%s: code %d", user, code)
		}
	}
	if _, err := answer(c); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection isn't closed: %v", err)
	}
}

func TestListeners_EachTellsOfItself(t *testing.T) {
	a := newAuthority(t)
	b := start(t, Config{
		Listen: "127.0.0.1:0",
		Listeners: []Listener{
			{Name: "INSIDE", Address: "127.0.0.1:0", TLS: a.files(t, t.TempDir())},
			{Name: "OUTSIDE", Address: "127.0.0.1:0", Advertise: "kafka.example:443", SASL: []Mechanism{Plain}},
		},
		Users: []User{{"alice", "alice's"}},
	})
	outside := b.entrances[2].listener.Addr().String()
	for addr, c := range map[string]struct {
		want string
		opt  kgo.Opt
	}{
		b.ListenerAddr("PLAINTEXT"): {b.Addr(), kgo.ClientID("x")},
		b.ListenerAddr("INSIDE"):    {b.ListenerAddr("INSIDE"), kgo.DialTLSConfig(a.client(t, pkix.Name{}))},
		outside:                     {"kafka.example:443", kgo.SASL(mechanism(Plain, "alice", "alice's"))},
	} {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), c.opt)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := kmsg.NewPtrMetadataRequest().RequestWith(timeout(t), cl)
		cl.Close()
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		if got := fmt.Sprintf("%s:%d", resp.Brokers[0].Host, resp.Brokers[0].Port); got != c.want {
			t.Errorf("%s tells of %s, want %s", addr, got, c.want)
		}
	}
}

func TestStart_Insecure(t *testing.T) {
	remote := func(l Listener) Config {
		l.Address = "0.0.0.0:0"
		return Config{Listeners: []Listener{l}}
	}
	for name, c := range map[string]Config{
		"nothing":       remote(Listener{}),
		"only TLS":      remote(Listener{TLS: &TLS{Config: &tls.Config{MinVersion: tls.VersionTLS12}}}),
		"only SASL":     remote(Listener{SASL: []Mechanism{ScramSHA256}}),
		"optional cert": remote(Listener{TLS: &TLS{CertFile: "x", KeyFile: "x", ClientCAFile: "x", ClientAuth: RequestClientCert}}),
	} {
		if _, err := Start(c); !errors.Is(err, ErrRemoteListen) {
			t.Errorf("%s: %v", name, err)
		}
	}
	a := newAuthority(t)
	l := Listener{Advertise: "127.0.0.1:1", TLS: a.files(t, t.TempDir()), SASL: []Mechanism{ScramSHA256}}
	start(t, remote(l))
	l.SASL, l.TLS.ClientAuth = nil, RequireClientCert
	start(t, remote(l))
	free := remote(Listener{Advertise: "127.0.0.1:1"})
	free.AllowInsecureListeners = true
	start(t, free)
}
