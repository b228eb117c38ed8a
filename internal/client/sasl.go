package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/leatstream/leat/internal/clock"
)

// Mechanism is how a client proves who it is.
type Mechanism string

// The mechanisms of SASL that are supported.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
	OAuthBearer Mechanism = "OAUTHBEARER"
)

// SASL is how to log in at the brokers.
type SASL struct {
	Mechanism  Mechanism
	User       string
	Password   string
	Token      func(context.Context) (token string, expires time.Time, err error)
	Extensions map[string]string // of OAUTHBEARER
}

// mechanism is s in the terms of the library.
func (s *SASL) mechanism(clk clock.Clock) (sasl.Mechanism, error) {
	switch s.Mechanism {
	case Plain:
		return plain.Auth{User: s.User, Pass: s.Password}.AsMechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism(), nil
	case OAuthBearer:
		if s.Token == nil {
			return nil, errors.New("client: SASL mechanism OAUTHBEARER needs a source of tokens")
		}
		c := &tokenCache{source: s.Token, clock: clk}
		return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
			token, err := c.token(ctx)
			if err != nil {
				return oauth.Auth{}, fmt.Errorf("client: get a token: %w", err)
			}
			return oauth.Auth{Token: token, Extensions: s.Extensions}, nil
		}), nil
	}
	return nil, fmt.Errorf("client: SASL mechanism %q is not one of %s, %s, %s, %s", s.Mechanism, Plain, ScramSHA256, ScramSHA512, OAuthBearer)
}

// tokenCache gives all connections the same token for most of its life: each of
// them asks for one, and again when its session with the broker ends.
type tokenCache struct {
	source func(context.Context) (string, time.Time, error)
	clock  clock.Clock

	mu    sync.Mutex // held while a token is got: the others need it too
	last  string
	renew time.Time // when to get the next one
}

func (c *tokenCache) token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.last != "" && now.Before(c.renew) {
		return c.last, nil
	}
	token, expires, err := c.source(ctx)
	if err != nil {
		return "", err
	}
	c.last, c.renew = token, now
	if left := expires.Sub(now); !expires.IsZero() && left > 0 {
		c.renew = now.Add(left / 5 * 4)
	}
	return token, nil
}
