package client

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/leatstream/leat/internal/clock"
)

func TestTokenCache(t *testing.T) {
	clk := clock.NewManual(time.Unix(1000, 0))
	asked, life := 0, 100*time.Second
	var broken error
	c := &tokenCache{clock: clk, source: func(context.Context) (string, time.Time, error) {
		asked++
		if life == 0 {
			return fmt.Sprint(asked), time.Time{}, broken
		}
		return fmt.Sprint(asked), clk.Now().Add(life), broken
	}}
	want := func(token string) {
		t.Helper()
		got, err := c.token(t.Context())
		if err != nil || got != token {
			t.Errorf("%q, %v; want %q", got, err, token)
		}
	}
	want("1")
	clk.Advance(79 * time.Second)
	want("1")
	clk.Advance(time.Second)
	want("2")
	broken = errors.New("the server is down")
	clk.Advance(90 * time.Second)
	if _, err := c.token(t.Context()); !errors.Is(err, broken) {
		t.Error(err)
	}
	broken, life = nil, 0
	want("4") // of unknown life: another each time
	want("5")
}

// tokens is a server that gives a token to whom check lets.
func tokens(t *testing.T, check func(url.Values, *http.Request) bool) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if err := r.ParseForm(); err != nil || !check(r.PostForm, r) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		fmt.Fprint(w, `{"access_token":"abc","token_type":"Bearer","expires_in":60}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestCredentials(t *testing.T) {
	at := tokens(t, func(form url.Values, r *http.Request) bool {
		id, secret, _ := r.BasicAuth()
		return id == "app" && secret == "s" && form.Get("scope") == "a b" && form.Get("audience") == "kafka" && form.Get("grant_type") == "client_credentials"
	})
	c := Credentials{TokenURL: at, ClientID: "app", ClientSecret: "s", Scopes: []string{"a", "b"}, Params: url.Values{"audience": {"kafka"}}}
	token, expires, err := c.Token(t.Context())
	if err != nil || token != "abc" || time.Until(expires) > time.Minute || time.Until(expires) < 30*time.Second {
		t.Errorf("%q until %v, %v", token, expires, err)
	}
	c.ClientSecret = "wrong"
	if _, _, err := c.Token(t.Context()); err == nil {
		t.Error("a wrong secret gets a token")
	}
	if _, _, err := (Credentials{}).Token(t.Context()); err == nil {
		t.Error("nothing gets a token")
	}
}

func TestJWTBearer(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	for _, key := range []crypto.Signer{rsaKey, ecKey, edKey} {
		var std jwt.Claims
		var more map[string]any
		at := tokens(t, func(form url.Values, _ *http.Request) bool {
			token, err := jwt.ParseSigned(form.Get("assertion"), []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.EdDSA})
			return err == nil && token.Headers[0].KeyID == "k1" && token.Claims(key.Public(), &std, &more) == nil &&
				form.Get("grant_type") == bearerGrant && form.Get("scope") == "a"
		})
		j := JWTBearer{
			TokenURL: at, Key: key, KeyID: "k1", Issuer: "app", Scopes: []string{"a"},
			Claims: map[string]any{"tenant": "t"}, Clock: clock.NewManual(now),
		}
		if token, _, err := j.Token(t.Context()); err != nil || token != "abc" {
			t.Errorf("%T: %q, %v", key, token, err)
		}
		if err := std.Validate(jwt.Expected{Issuer: "app", Subject: "app", AnyAudience: jwt.Audience{at}, Time: now}); err != nil || std.ID == "" || more["tenant"] != "t" {
			t.Errorf("%T: %+v %v, %v", key, std, more, err)
		}
	}
	at := tokens(t, func(form url.Values, _ *http.Request) bool { return form.Get("assertion") == "signed elsewhere" })
	j := JWTBearer{TokenURL: at, Assertion: func(context.Context) (string, error) { return "signed elsewhere", nil }}
	if token, _, err := j.Token(t.Context()); err != nil || token != "abc" {
		t.Errorf("%q, %v", token, err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]JWTBearer{
		"no URL": {Key: ecKey, Issuer: "a"}, "no key": {TokenURL: at, Issuer: "a"}, "no issuer": {TokenURL: at, Key: ecKey},
		"a curve without an algorithm here": {TokenURL: at, Key: p384, Issuer: "a"},
	} {
		if _, _, err := bad.Token(t.Context()); err == nil {
			t.Errorf("%s: a token", name)
		}
	}
}
