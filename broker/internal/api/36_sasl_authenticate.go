package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// failedLoginDelay is how long a refusal is held back, so that passwords can't
// be tried fast.
const failedLoginDelay = 100 * time.Millisecond

// authenticate is SaslAuthenticate, v0-2: the client's next token.
//
// v1: how long the session may last
// v2: flexible
func (c *Conn) authenticate(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	req := kmsg.NewPtrSASLAuthenticateRequest()
	if err := c.read(r, req); err != nil {
		return nil, false, err
	}
	resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	out, done, err := c.step(ctx, req.SASLAuthBytes)
	if errors.Is(err, authn.ErrRefused) {
		resp.ErrorCode, resp.ErrorMessage = kerr.SaslAuthenticationFailed.Code, kmsg.StringPtr(err.Error())
		resp.SASLAuthBytes = []byte{}
		r.Last = true
		return c.s.delayed(failedLoginDelay, resp), req.IsFlexible(), nil
	}
	if err != nil {
		return nil, false, err
	}
	resp.SASLAuthBytes = append([]byte{}, out...) // not null
	if done && !c.login.expires.IsZero() {
		resp.SessionLifetimeMillis = max(1, c.login.expires.Sub(c.s.Clock.Now()).Milliseconds())
	}
	return ready(resp), req.IsFlexible(), nil
}

// rawToken is the client's next token, in a frame of its own. One that is
// refused gets no answer.
func (c *Conn) rawToken(ctx context.Context, r *wire.Request) (wire.Reply, error) {
	out, _, err := c.step(ctx, r.Body)
	if errors.Is(err, authn.ErrRefused) {
		r.Last = true
		return c.s.delayed(failedLoginDelay, nil), nil
	}
	return ready(token(out)), err
}

// token is an answer without a header.
type token []byte

// AppendTo appends the token.
func (t token) AppendTo(dst []byte) []byte { return append(dst, t...) }

// step passes a token on, and lets the client in if it was the last.
func (c *Conn) step(ctx context.Context, in []byte) (out []byte, done bool, err error) {
	known := c.login.exchange.Failed()
	out, id, err := c.login.exchange.Step(ctx, in)
	if err == nil && id != nil {
		err = c.letIn(id)
	}
	if c.login.exchange != nil && err == nil {
		c.auditLogin(c.login.exchange.Failed())
	} else if known == nil {
		c.auditLogin(err)
	}
	return out, err == nil && id != nil, err
}

// auditLogin logs a refusal.
func (c *Conn) auditLogin(err error) {
	if errors.Is(err, authn.ErrRefused) {
		c.s.denials.tell(c.s.Clock.Now(), func(more int) {
			c.s.Log.Warn("login refused", "mechanism", c.login.mechanism, "host", c.peer.Host, "listener", c.peer.Listener,
				"err", authn.Cause(err), "unlogged", more)
		})
	}
}

// letIn notes who the client is.
func (c *Conn) letIn(id *authn.Identity) error {
	if c.login.user != "" && id.User != c.login.user {
		return fmt.Errorf("%w: Cannot change principals during re-authentication from %s to %s", authn.ErrRefused, c.login.user, id.User)
	}
	now := c.s.Clock.Now()
	c.login.expires = id.Expires
	if limit := c.s.MaxSession; limit > 0 && (id.Expires.IsZero() || id.Expires.Sub(now) > limit) {
		c.login.expires = now.Add(limit)
	}
	c.login.user, c.login.step, c.login.exchange = id.User, noTokens, nil
	c.peer.Principal = "User:" + id.User
	c.known.Store(true)
	c.s.Log.Debug("logged in", "principal", c.peer.Principal, "mechanism", c.login.mechanism, "host", c.peer.Host, "listener", c.peer.Listener)
	return nil
}

// saslAuthenticate answers where there is nothing to log in to, or not now.
func (s *Server) saslAuthenticate(r *kmsg.SASLAuthenticateRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	resp.ErrorCode = kerr.IllegalSaslState.Code
	resp.ErrorMessage = kmsg.StringPtr("SaslAuthenticate request received after successful authentication")
	return resp
}
