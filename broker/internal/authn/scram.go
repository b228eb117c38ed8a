package authn

import (
	"context"
	"fmt"

	"github.com/xdg-go/scram"
)

// scramExchange is SCRAM (RFC 5802): the client proves that it knows the
// password, and the broker that it knows the user, without sending either.
type scramExchange struct {
	talk *scram.ServerConversation
	err  error // what kept the conversation from starting
}

func newScram(a *Authenticator, mechanism string) *scramExchange {
	server, err := scram.HashGeneratorFcn(hashOf(mechanism)).NewServer(func(user string) (scram.StoredCredentials, error) {
		c, ok := a.opt.Credential(user, mechanism)
		if !ok {
			c = a.madeUp(user, mechanism) // which users there are isn't told
		}
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(c.Salt), Iters: c.Iterations},
			StoredKey:  c.StoredKey, ServerKey: c.ServerKey,
		}, nil
	})
	if err != nil {
		return &scramExchange{err: err}
	}
	return &scramExchange{talk: server.NewConversation()}
}

// Step takes the client's first message, and then its last.
func (x *scramExchange) Step(_ context.Context, in []byte) ([]byte, *Identity, error) {
	if x.err != nil {
		return nil, nil, x.err
	}
	const text = "Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM"
	out, err := x.talk.Step(string(in))
	if err != nil {
		return nil, nil, &refusal{text, err}
	}
	if !x.talk.Done() {
		return []byte(out), nil, nil
	}
	if authz := x.talk.AuthzID(); authz != "" && authz != x.talk.Username() {
		return nil, nil, &refusal{text, fmt.Errorf("user %q asked to be %q", x.talk.Username(), authz)}
	}
	if !x.talk.Valid() {
		return nil, nil, &refusal{text, nil}
	}
	return []byte(out), &Identity{User: x.talk.Username()}, nil
}

// Failed is nil: refusals are told at once.
func (x *scramExchange) Failed() error { return nil }
