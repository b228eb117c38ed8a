package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/xdg-go/scram"

	"github.com/leatstream/leat/internal/clock"
)

// of is an authenticator of one user.
func of(t testing.TB, user, password string) *Authenticator {
	t.Helper()
	stored := map[string]Credential{}
	for _, m := range []string{ScramSHA256, ScramSHA512} {
		c, err := NewCredential(user, password, m)
		if err != nil {
			t.Fatal(err)
		}
		stored[m] = c
	}
	return New(Options{Clock: clock.System, Credential: func(u, m string) (Credential, bool) {
		c, ok := stored[m]
		return c, ok && u == user
	}})
}

func TestPlain(t *testing.T) {
	a := of(t, "user", "pass")
	for in, ok := range map[string]bool{
		"\x00user\x00pass": true, "user\x00user\x00pass": true, "other\x00user\x00pass": false,
		"\x00user\x00wrong": false, "\x00other\x00pass": false, "\x00user\x00": false, "\x00\x00pass": false,
		"user\x00pass": false, "": false, "\x00user\x00pass\x00": false,
	} {
		_, id, err := a.Start(Plain).Step(t.Context(), []byte(in))
		if ok != (err == nil && id != nil && id.User == "user") || !ok && !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v, %v", in, id, err)
		}
	}
}

// converse lets the library's client talk to an exchange.
func converse(t *testing.T, x Exchange, c *scram.Client) (*Identity, error) {
	t.Helper()
	talk := c.NewConversation()
	in := ""
	for {
		out, err := talk.Step(in)
		if err != nil {
			t.Fatal(err)
		}
		reply, id, err := x.Step(t.Context(), []byte(out))
		if err != nil || id != nil {
			if err == nil {
				if _, err := talk.Step(string(reply)); err != nil || !talk.Valid() {
					t.Errorf("the broker didn't prove that it knows the user: %v", err)
				}
			}
			return id, err
		}
		in = string(reply)
	}
}

func TestScram(t *testing.T) {
	a := of(t, "us,er=", "pass")
	for m, gen := range map[string]scram.HashGeneratorFcn{ScramSHA256: scram.SHA256, ScramSHA512: scram.SHA512} {
		for _, c := range []struct {
			user, pass, authz string
			ok                bool
		}{
			{"us,er=", "pass", "", true}, {"us,er=", "wrong", "", false}, {"other", "pass", "", false}, {"us,er=", "pass", "other", false},
		} {
			cl, err := gen.NewClient(c.user, c.pass, c.authz)
			if err != nil {
				t.Fatal(err)
			}
			id, err := converse(t, a.Start(m), cl)
			if c.ok != (err == nil && id.User == c.user) || !c.ok && !errors.Is(err, ErrRefused) {
				t.Errorf("%s %+v: %v, %v", m, c, id, err)
			}
		}
	}
}

// TestScram_UnknownUser has the same salt each time, as a user would.
func TestScram_UnknownUser(t *testing.T) {
	a := of(t, "user", "pass")
	salt := func(user string) string {
		out, _, err := a.Start(ScramSHA256).Step(t.Context(), []byte("n,,n="+user+",r=nonce"))
		if err != nil {
			t.Fatal(err)
		}
		var nonce, salt string
		if _, err := fmt.Sscanf(string(out), "r=%s", &nonce); err != nil {
			t.Fatal(err)
		}
		for i := range out {
			if string(out[i:min(i+3, len(out))]) == ",s=" {
				salt = string(out[i:])
			}
		}
		return salt
	}
	if a, b, c := salt("nobody"), salt("nobody"), salt("noone"); a != b || a == c || a == "" {
		t.Errorf("salts %q %q %q", a, b, c)
	}
}

func FuzzExchanges(f *testing.F) {
	f.Add(uint8(0), []byte("\x00user\x00pass"), []byte{})
	f.Add(uint8(1), []byte("n,,n=user,r=abc"), []byte("c=biws,r=abc,p=AAAA"))
	f.Add(uint8(2), []byte("n,a=x,n=user,r=abc,ext=1"), []byte("c=biws"))
	f.Add(uint8(3), []byte("n,,\x01auth=Bearer a.b.c\x01\x01"), []byte("\x01"))
	f.Add(uint8(3), []byte("n,a=user,\x01host=h\x01auth=Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1c2VyIn0.\x01\x01"), []byte("\x01"))
	a := of(f, "user", "pass")
	a.opt.Tokens = NewVerifier(VerifierOptions{AllowUnsecured: true})
	f.Fuzz(func(t *testing.T, which uint8, first, second []byte) {
		x := a.Start([]string{Plain, ScramSHA256, ScramSHA512, OAuthBearer}[which%4])
		_, id, err := x.Step(t.Context(), first)
		if err == nil && id == nil {
			_, id, _ = x.Step(t.Context(), second)
		}
		if id != nil && id.User == "" {
			t.Error("somebody without a name got in")
		}
	})
}

func TestKeySet_ReadsAgain(t *testing.T) {
	key := func(id string) jose.JSONWebKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return jose.JSONWebKey{Key: k, KeyID: id}
	}
	token := func(k jose.JSONWebKey, exp time.Time) string {
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k}, nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(s).Claims(jwt.Claims{Subject: "u", Expiry: jwt.NewNumericDate(exp)}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var keys []jose.JSONWebKey
	var broken error
	reads := 0
	load := func(context.Context) ([]byte, error) {
		reads++
		var set jose.JSONWebKeySet
		for _, k := range keys {
			set.Keys = append(set.Keys, k.Public())
		}
		b, err := json.Marshal(set)
		return b, errors.Join(err, broken)
	}
	now := time.Unix(1_000_000, 0)
	if _, err := NewKeySet(t.Context(), now, load); err == nil {
		t.Error("a set without keys is good")
	}
	first, second := key("1"), key("2")
	keys = []jose.JSONWebKey{first}
	set, err := NewKeySet(t.Context(), now, load)
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier(VerifierOptions{Keys: set})
	check := func(k jose.JSONWebKey, ok bool, wantReads int) {
		t.Helper()
		reads = 0
		_, err := v.Verify(t.Context(), token(k, now.Add(time.Hour)), now)
		if ok != (err == nil) || reads != wantReads {
			t.Errorf("%v after %d reads, want %d", Cause(err), reads, wantReads)
		}
	}
	check(first, true, 0)
	check(second, false, 0) // too soon to read again
	now = now.Add(keysMinAge)
	check(second, false, 1)
	keys = []jose.JSONWebKey{first, second}
	check(second, false, 0)
	now = now.Add(keysMinAge)
	check(second, true, 1)
	now = now.Add(keysMaxAge)
	broken = errors.New("the server is down")
	check(second, true, 1)
	keys, broken = []jose.JSONWebKey{second}, nil
	now = now.Add(keysMaxAge)
	check(first, false, 1)
}

func TestVerifier_NoSymmetricKeys(t *testing.T) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte("0123456789abcdef0123456789abcdef")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(jwt.Claims{Subject: "u", Expiry: jwt.NewNumericDate(time.Now().Add(time.Hour))}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	v := NewVerifier(VerifierOptions{Keys: &KeySet{}, AllowUnsecured: true})
	if _, err := v.Verify(t.Context(), text, time.Now()); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

func TestMapping(t *testing.T) {
	for _, c := range []struct {
		rules []string
		in    string
		want  string // "" is none
	}{
		{nil, "CN=a,O=b", "CN=a,O=b"},
		{[]string{"DEFAULT"}, "CN=a", "CN=a"},
		{[]string{`RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/`, `RULE:^CN=(.*?),OU=(.*?),O=(.*?)$/$1@$2/L`, "DEFAULT"}, "CN=Svc,OU=ServiceUsers,O=x", "Svc"},
		{[]string{`RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/`, `RULE:^CN=(.*?),OU=(.*?),O=(.*?)$/$1@$2/L`, "DEFAULT"}, "CN=Ann,OU=Dev,O=x", "ann@dev"},
		{[]string{`RULE:CN=(.*)/$1/U`}, "CN=ann", "ANN"},
		{[]string{`RULE:CN=(.*)/$1/U`}, "O=ann", ""},
	} {
		m, err := ParseMapping(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := m.User(c.in); got != c.want || ok != (c.want != "") {
			t.Errorf("%q of %q: %q, want %q", c.rules, c.in, got, c.want)
		}
	}
	for _, bad := range []string{"", "CN=x", "RULE:x", "RULE:(/x/", "RULE:a/b/X", "RULE:a/b/c/d"} {
		if _, err := ParseMapping([]string{bad}); err == nil {
			t.Errorf("%q is a rule", bad)
		}
	}
}

func TestSubject(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a, b", OrganizationalUnit: []string{"dev"}, Organization: []string{"x"}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if got := Subject(cert); got != `CN=a\, b,OU=dev,O=x` {
		t.Error(got)
	}
}
