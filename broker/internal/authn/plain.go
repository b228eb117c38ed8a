package authn

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
)

// plainExchange is SASL PLAIN (RFC 4616): the client sends its password.
type plainExchange struct{ a *Authenticator }

var errPlain = &refusal{text: "Authentication failed: Invalid username or password"}

// Step takes authorization id, user and password, with zero bytes between.
func (x *plainExchange) Step(ctx context.Context, in []byte) ([]byte, *Identity, error) {
	parts := bytes.Split(in, []byte{0})
	if len(parts) != 3 || len(parts[1]) == 0 || len(parts[2]) == 0 {
		return nil, nil, &refusal{text: "Authentication failed: want an authorization id, a user and a password"}
	}
	authz, user, password := string(parts[0]), string(parts[1]), string(parts[2])
	if authz != "" && authz != user {
		return nil, nil, &refusal{text: "Authentication failed: Client requested an authorization id that is different from username"}
	}
	select {
	case x.a.hashes <- struct{}{}:
		defer func() { <-x.a.hashes }()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	c, known := x.a.opt.Credential(user, ScramSHA512)
	if !known {
		c, known = x.a.opt.Credential(user, ScramSHA256)
	}
	if !known {
		c = x.a.madeUp(user, ScramSHA512) // takes as long, so that nothing is learned
	}
	if !c.Verify(password) || !known {
		return nil, nil, errPlain
	}
	return nil, &Identity{User: user}, nil
}

// madeUp is a credential of a user that there isn't: always the same for the
// same name, and no password fits.
func (a *Authenticator) madeUp(user, mechanism string) Credential {
	h := hashOf(mechanism)
	return Credential{
		User: user, Mechanism: mechanism, Iterations: MinIterations,
		Salt:      keyed(sha256.New, a.secret, "salt "+user),
		StoredKey: hmac.New(h, a.secret).Sum(nil)[:h().Size()],
		ServerKey: keyed(h, a.secret, "server key "+user),
	}
}

// Failed is nil: refusals are told at once.
func (x *plainExchange) Failed() error { return nil }
