package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// Mechanism is a mechanism of SASL, by which clients log in.
type Mechanism string

// The mechanisms. With Plain and OAuthBearer clients send what lets them in, so
// these are for listeners with TLS.
const (
	Plain       Mechanism = authn.Plain
	ScramSHA256 Mechanism = authn.ScramSHA256
	ScramSHA512 Mechanism = authn.ScramSHA512
	OAuthBearer Mechanism = authn.OAuthBearer
)

// User is a user to begin with.
type User struct {
	Name, Password string
}

// Tokens says which tokens let clients in by OAUTHBEARER: JSON web tokens, with
// the signature of one of the keys and an expiry.
type Tokens struct {
	// KeysFile or KeysURL is where the keys are: a JSON web key set. It is read
	// again every ten minutes, and for a token with an unknown key.
	KeysFile, KeysURL string
	// HTTP gets KeysURL; nil is a client with a timeout of 10 s.
	HTTP *http.Client
	// Issuer is the issuer (iss) that tokens must name; empty accepts any.
	Issuer string
	// Audience is of which a token must name one (aud); empty accepts any.
	Audience []string
	// Claim has the user's name; empty is "sub".
	Claim string
	// Skew is how far the clocks of the broker and the issuer may be apart; 0
	// is 30 s.
	Skew time.Duration
	// AllowUnsecured accepts tokens without a signature, which anybody can make.
	// It is for tests.
	AllowUnsecured bool
}

// Authorizer says who may do what: those whom access control lists allow it.
// Clients manage the lists, which are stored with the topics.
type Authorizer struct {
	// SuperUsers are principals that may do everything, such as "User:admin".
	SuperUsers []string
	// AllowIfNoACL allows everybody what no access control list is about.
	AllowIfNoACL bool
}

// tokensTimeout is for how long the server of keys may leave a request
// unanswered.
const tokensTimeout = 10 * time.Second

// maxKeys bounds a key set.
const maxKeys = 1 << 20

// load is how to read the key set.
func (t *Tokens) load(ctx context.Context) ([]byte, error) {
	if t.KeysFile != "" {
		return vfs.ReadForeign(t.KeysFile)
	}
	client := t.HTTP
	if client == nil {
		client = &http.Client{Timeout: tokensTimeout}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.KeysURL, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", t.KeysURL, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxKeys))
}

// verifier makes what checks tokens; nil if there are to be none.
func (b *Broker) verifier() (*authn.Verifier, error) {
	t := b.cfg.Tokens
	if t == nil {
		return nil, nil
	}
	o := authn.VerifierOptions{
		Issuer: t.Issuer, Audience: t.Audience, Claim: t.Claim, Skew: t.Skew, AllowUnsecured: t.AllowUnsecured,
	}
	orDefault(&o.Skew, 30*time.Second)
	if t.KeysFile != "" || t.KeysURL != "" {
		keys, err := authn.NewKeySet(b.ctx, b.cfg.Clock.Now(), t.load)
		if err != nil {
			return nil, fmt.Errorf("tokens: %w", err)
		}
		o.Keys = keys
	}
	return authn.NewVerifier(o), nil
}

// authenticator makes what clients log in by.
func (b *Broker) authenticator() (*authn.Authenticator, error) {
	tokens, err := b.verifier()
	if err != nil {
		return nil, err
	}
	return authn.New(authn.Options{
		Clock: b.cfg.Clock, Tokens: tokens,
		Credential: func(user, mechanism string) (authn.Credential, bool) {
			return b.catalog.Security().Credential(user, mechanism)
		},
	}), nil
}

// policy is who may do what besides the access control lists; nil is everybody
// everything.
func (c Config) policy() *acl.Policy {
	if c.Authorizer == nil {
		return nil
	}
	p := &acl.Policy{SuperUsers: map[string]bool{}, AllowIfNone: c.Authorizer.AllowIfNoACL}
	for _, u := range c.Authorizer.SuperUsers {
		p.SuperUsers[u] = true
	}
	return p
}

// addUsers creates the users to begin with. Those who are there keep their
// passwords, which may have been changed since.
func (b *Broker) addUsers() error {
	var add []authn.Credential
	for _, u := range b.cfg.Users {
		known := false
		for _, mechanism := range []string{authn.ScramSHA256, authn.ScramSHA512} {
			c, ok := b.catalog.Security().Credential(u.Name, mechanism)
			known = known || ok
			if ok && !c.Verify(u.Password) {
				b.cfg.Logger.Warn("the password of a user to begin with is not the stored one, which holds", "user", u.Name, "mechanism", mechanism)
			}
		}
		if known {
			continue
		}
		for _, mechanism := range []string{authn.ScramSHA256, authn.ScramSHA512} {
			c, err := authn.NewCredential(u.Name, u.Password, mechanism)
			if err != nil {
				return fmt.Errorf("user %s: %w", u.Name, err)
			}
			add = append(add, c)
		}
	}
	if len(add) == 0 {
		return nil
	}
	return b.catalog.Secure(func(c *catalog.Change) error {
		for _, one := range add {
			c.Users = catalog.SetUser(c.Users, one)
		}
		return nil
	})
}

// validateSecurity reports mistakes in what is about users and rights.
func (c Config) validateSecurity() []error {
	var errs []error
	names := map[string]bool{}
	for _, u := range c.Users {
		if u.Name == "" || u.Password == "" || names[u.Name] {
			errs = append(errs, fmt.Errorf("user %q: names and passwords must not be empty, and each name is given once", u.Name))
		}
		names[u.Name] = true
	}
	if t := c.Tokens; t != nil {
		switch {
		case t.KeysFile != "" && t.KeysURL != "":
			errs = append(errs, errors.New("tokens: the keys are either in a file or at a URL"))
		case t.KeysFile == "" && t.KeysURL == "" && !t.AllowUnsecured:
			errs = append(errs, errors.New("tokens: say where the keys are, in KeysFile or KeysURL"))
		}
	}
	if a := c.Authorizer; a != nil && slices.ContainsFunc(a.SuperUsers, func(u string) bool {
		kind, name, ok := strings.Cut(u, ":")
		return !ok || kind == "" || name == ""
	}) {
		errs = append(errs, fmt.Errorf("super users %q: write them as User:name", a.SuperUsers))
	}
	if c.MaxSession < 0 {
		errs = append(errs, errors.New("MaxSession is negative"))
	}
	return errs
}
