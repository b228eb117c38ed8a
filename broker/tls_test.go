package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509/pkix"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/clock"
)

// pinger is a client that is asked whether it gets through.
func ping(t *testing.T, addr string, opts ...kgo.Opt) error {
	t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(addr), kgo.RequestRetries(0), kgo.RetryTimeout(5 * time.Second)}, opts...)
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return c.Ping(ctx)
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	b := start(t, Config{Listeners: []Listener{{Address: "127.0.0.1:0", TLS: a.files(t, t.TempDir())}}})
	if err := ping(t, b.Addr(), kgo.DialTLSConfig(a.client(t, pkix.Name{}))); err != nil {
		t.Error(err)
	}
	if err := ping(t, b.Addr(), kgo.DialTLSConfig(newAuthority(t).client(t, pkix.Name{}))); err == nil {
		t.Error("a broker of another authority was trusted")
	}
	c := client(t, b, kgo.DialTLSConfig(a.client(t, pkix.Name{})), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("t"))
	values := numbers("v", 500)
	produce(t, c, "t", values...)
	if got := consume(t, c, len(values)); strings.Join(got, " ") != strings.Join(values, " ") {
		t.Errorf("%d records came back", len(got))
	}
}

func TestTLS_Mutual(t *testing.T) {
	a := newAuthority(t)
	files := a.files(t, t.TempDir())
	files.ClientAuth = RequireClientCert
	files.PrincipalRules = []string{"RULE:^CN=(.*?),O=example$/$1/L", "DEFAULT"}
	b := start(t, Config{
		Listeners:  []Listener{{Address: "127.0.0.1:0", TLS: files}},
		Authorizer: &Authorizer{SuperUsers: []string{"User:alice", "User:CN=bob"}},
	})
	for name, subject := range map[string]pkix.Name{
		"mapped":        {CommonName: "Alice", Organization: []string{"example"}},
		"whole subject": {CommonName: "bob"},
	} {
		c := client(t, b, kgo.DialTLSConfig(a.client(t, subject)))
		if _, err := kadm.NewClient(c).CreateTopic(timeout(t), 1, 1, nil, strings.ReplaceAll(name, " ", "-")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	c := client(t, b, kgo.DialTLSConfig(a.client(t, pkix.Name{CommonName: "mallory"})))
	if _, err := kadm.NewClient(c).CreateTopic(timeout(t), 1, 1, nil, "hers"); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("somebody without rights: %v", err)
	}
	if err := ping(t, b.Addr(), kgo.DialTLSConfig(a.client(t, pkix.Name{}))); err == nil {
		t.Error("a client without a certificate got in")
	}
	stranger := newAuthority(t).client(t, pkix.Name{CommonName: "alice", Organization: []string{"example"}})
	stranger.RootCAs = a.client(t, pkix.Name{}).RootCAs
	if err := ping(t, b.Addr(), kgo.DialTLSConfig(stranger)); err == nil {
		t.Error("a client of another authority got in")
	}
}

// TestTLS_Reload replaces the files while the broker runs: by good ones, by
// nonsense, and by good ones again.
func TestTLS_Reload(t *testing.T) {
	clk := clock.NewManual(time.Now())
	first, second := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	files := first.files(t, dir)
	b := start(t, Config{Clock: clk, MaintenanceInterval: -1, Listeners: []Listener{{Address: "127.0.0.1:0", TLS: files}}})
	handshake := func(a *authority) error {
		c, err := tls.Dial("tcp", b.Addr(), a.client(t, pkix.Name{}))
		if err == nil {
			c.Close()
		}
		return err
	}
	if err := handshake(first); err != nil {
		t.Fatal(err)
	}
	second.files(t, dir)
	clk.Advance(lookEvery)
	if err := handshake(second); err != nil {
		t.Errorf("after new certificates: %v", err)
	}
	if err := os.WriteFile(files.CertFile, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	clk.Advance(lookEvery)
	if err := handshake(second); err != nil {
		t.Errorf("after bad certificates: %v", err)
	}
	first.files(t, dir)
	clk.Advance(lookEvery)
	if err := handshake(first); err != nil {
		t.Errorf("after good certificates: %v", err)
	}
}
