package broker

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
)

// TestTokens_KeysAtURL logs in with a token whose key is at a URL.
func TestTokens_KeysAtURL(t *testing.T) {
	first, _ := signed(t)
	second, sign := signed(t)
	now := first
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/keys" {
			http.NotFound(w, r)
			return
		}
		b, err := os.ReadFile(now)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(b)
	}))
	defer issuer.Close()
	if _, err := Start(Config{Tokens: &Tokens{KeysURL: issuer.URL + "/other"}}); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a wrong URL: %v", err)
	}
	now = second
	b := start(t, Config{
		Listeners:  []Listener{{Address: "127.0.0.1:0", SASL: []Mechanism{OAuthBearer}}},
		Tokens:     &Tokens{KeysURL: issuer.URL + "/keys", Claim: "sub"},
		MaxSession: time.Minute,
	})
	token := sign(jwt.Claims{Subject: "app", Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour))})
	if err := ping(t, b.Addr(), kgo.SASL(oauth.Auth{Token: token}.AsMechanism())); err != nil {
		t.Error(err)
	}
}

func TestTokens_Load(t *testing.T) {
	if _, err := (&Tokens{KeysURL: "://"}).load(context.Background()); err == nil {
		t.Error("nonsense is a URL")
	}
	if _, err := (&Tokens{KeysFile: "missing"}).load(context.Background()); err == nil {
		t.Error("a missing file was read")
	}
}
