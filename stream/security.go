package stream

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/leatstream/leat/internal/client"
)

// SASL is how to log in at the brokers. User and Password are for Plain and the
// Scram mechanisms, Token and Extensions for OAuthBearer.
type SASL struct {
	Mechanism Mechanism
	User      string
	Password  string

	// Token gets the tokens that are shown to brokers.
	Token TokenSource
	// Extensions are sent along with a token, for brokers that ask for more:
	// the id of a logical cluster, for instance.
	Extensions map[string]string
}

// Mechanism is a mechanism of SASL.
type Mechanism string

// The mechanisms. PLAIN sends the password as it is, and OAUTHBEARER the token:
// use them with TLS only.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
	OAuthBearer Mechanism = "OAUTHBEARER"
)

// TokenSource gets a token and says when it expires; the zero time is unknown.
// It is called again when four fifths of a token's life are over, by one
// goroutine at a time. An error is tried again with the next connection.
type TokenSource func(ctx context.Context) (token string, expires time.Time, err error)

// ClientCredentials gets tokens by OAuth 2.0's grant of client credentials: the
// app has an id and a secret at the server that issues tokens. Its Token method
// is a [TokenSource].
type ClientCredentials struct {
	TokenURL     string // of the server's token endpoint
	ClientID     string
	ClientSecret string
	Scopes       []string
	Params       url.Values   // further ones that the server wants, such as audience
	HTTP         *http.Client // nil is one with a timeout of 30 s
}

// Token gets a token.
func (c ClientCredentials) Token(ctx context.Context) (string, time.Time, error) {
	return client.Credentials(c).Token(ctx)
}

// JWTBearer gets tokens by OAuth 2.0's JWT bearer grant (RFC 7523, KIP-1139):
// the app shows the server a statement that it has signed itself, so that no
// secret travels. Its Token method is a [TokenSource].
type JWTBearer struct {
	TokenURL string // of the server's token endpoint

	// Assertion gets a statement that somebody else has made and signed. If it
	// is nil, one is made of the fields that follow.
	Assertion func(ctx context.Context) (string, error)

	// Key signs statements: an RSA, ECDSA (P-256) or Ed25519 key.
	Key      crypto.Signer
	KeyID    string        // by which the server finds the public key; may be empty
	Issuer   string        // claim iss: mostly the client's id
	Subject  string        // claim sub; empty is Issuer
	Audience string        // claim aud; empty is TokenURL
	Lifetime time.Duration // of a statement; 0 is 5 minutes
	Claims   map[string]any

	Scopes []string
	Params url.Values
	HTTP   *http.Client // nil is one with a timeout of 30 s
	Clock  Clock        // for the statement's times; nil is the system's
}

// Token gets a token.
func (j JWTBearer) Token(ctx context.Context) (string, time.Time, error) {
	return client.JWTBearer(j).Token(ctx)
}

// check reports what is missing.
func (s *SASL) check() error {
	switch {
	case s == nil:
		return nil
	case s.Mechanism == OAuthBearer && s.Token == nil:
		return errors.New("SASL.Token is not set; OAUTHBEARER needs a source of tokens")
	case s.Mechanism != OAuthBearer && s.Token != nil:
		return fmt.Errorf("SASL.Token is set, but %q takes a user and a password", s.Mechanism)
	}
	return nil
}

// client is s in the terms of the client.
func (s *SASL) client() *client.SASL {
	if s == nil {
		return nil
	}
	return &client.SASL{
		Mechanism: client.Mechanism(s.Mechanism), User: s.User, Password: s.Password,
		Token: s.Token, Extensions: s.Extensions,
	}
}
