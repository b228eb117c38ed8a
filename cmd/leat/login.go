package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/client"
)

// login is nil without a mechanism.
func (c *connection) login(p properties) (*client.SASL, error) {
	protocol := p.take("security.protocol")
	mechanism := first(c.mechanism, p.take("sasl.mechanism"))
	jaas := parseJAAS(p.take("sasl.jaas.config"))
	if mechanism == "" {
		if strings.HasPrefix(protocol, "SASL_") {
			return nil, errors.New("security.protocol wants a login, but sasl.mechanism isn't set")
		}
		return nil, nil
	}
	s := &client.SASL{Mechanism: client.Mechanism(mechanism)}
	if s.Mechanism == client.OAuthBearer {
		var err error
		s.Token, err = c.oauth.source(p, jaas)
		return s, err
	}
	s.User, s.Password = first(c.user, jaas["username"]), jaas["password"]
	if c.passwordFile != "" {
		var err error
		if s.Password, err = readSecret(c.passwordFile); err != nil {
			return nil, err
		}
	}
	if s.User == "" || s.Password == "" {
		return nil, fmt.Errorf("%s needs a user and a password: --sasl-user and --sasl-password-file", mechanism)
	}
	return s, nil
}

type tokenSource = func(context.Context) (string, time.Time, error)

// source is where tokens come from.
func (o *oauthFlags) source(p properties, jaas map[string]string) (tokenSource, error) {
	const prefix = "sasl.oauthbearer."
	url := first(o.url, p.take(prefix+"token.endpoint.url"))
	scopes := strings.Fields(first(o.scope, p.take(prefix+"scope"), jaas["scope"]))
	id := first(o.clientID, p.take(prefix+"client.credentials.client.id"), jaas["clientId"])
	secret := first(p.take(prefix+"client.credentials.client.secret"), jaas["clientSecret"])
	assertion := first(o.assertionFile, p.take(prefix+"assertion.file"))
	keyFile := first(o.keyFile, p.take(prefix+"assertion.private.key.file"))
	bearer := client.JWTBearer{
		TokenURL: url, Scopes: scopes, KeyID: first(o.keyID, p.take(prefix+"assertion.template.kid")),
		Issuer:   first(o.issuer, p.take(prefix+"assertion.claim.iss")),
		Subject:  first(o.subject, p.take(prefix+"assertion.claim.sub")),
		Audience: first(o.audience, p.take(prefix+"assertion.claim.aud")),
	}
	p.take(prefix + "assertion.algorithm")               // is told by the key
	p.take("sasl.login.callback.handler.class")          // names Java's code for the same
	p.take(prefix + "jwt.retriever.class")               // likewise
	if path, ok := strings.CutPrefix(url, "file:"); ok { // as Kafka writes it
		o.tokenFile, url = "/"+strings.TrimLeft(path, "/"), ""
	}
	switch {
	case o.tokenFile != "":
		return fileTokens(o.tokenFile), nil
	case url == "":
		return nil, errors.New("OAUTHBEARER needs a source of tokens: --oauth-token-url or --oauth-token-file")
	case assertion != "":
		bearer.Assertion = func(context.Context) (string, error) { return readSecret(assertion) }
		return bearer.Token, nil
	case keyFile != "":
		var err error
		if bearer.Key, err = readKey(keyFile); err != nil {
			return nil, err
		}
		return bearer.Token, nil
	case id == "":
		return nil, errors.New("the token URL is set, but neither a client's id nor an assertion is: --oauth-client-id, --oauth-assertion-key-file or --oauth-assertion-file")
	}
	if o.secretFile != "" {
		var err error
		if secret, err = readSecret(o.secretFile); err != nil {
			return nil, err
		}
	}
	return client.Credentials{TokenURL: url, ClientID: id, ClientSecret: secret, Scopes: scopes}.Token, nil
}

// fileTokens reads a token that somebody else keeps fresh.
func fileTokens(name string) tokenSource {
	return func(context.Context) (string, time.Time, error) {
		text, err := os.ReadFile(name)
		if err != nil {
			return "", time.Time{}, fmt.Errorf("read a token: %w", err)
		}
		return strings.TrimSpace(string(text)), time.Time{}, nil
	}
}
