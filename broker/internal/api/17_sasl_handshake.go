package api

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/authn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// login is how far a client has come with saying who it is.
type login struct {
	step      loginStep
	mechanism string         // that which is going on, or was used last
	exchange  authn.Exchange // nil if none is going on
	user      string         // who it was the last time
	expires   time.Time      // when it has to log in again; zero is never
}

type loginStep uint8

const (
	noTokens  loginStep = iota
	tokens              // in SaslAuthenticate requests
	rawTokens           // in frames of their own
)

func (l *login) expired(now time.Time) bool { return !l.expires.IsZero() && now.After(l.expires) }

// handshake is SaslHandshake, v0-1: the client chooses a mechanism.
//
// v0: tokens follow in frames without headers
// v1: tokens follow in SaslAuthenticate requests
//
// A client that has logged in may do so again, in time before its session
// expires, by the same mechanism and as the same user.
func (c *Conn) handshake(r *wire.Request) (wire.Reply, error) {
	req := kmsg.NewPtrSASLHandshakeRequest()
	if err := c.read(r, req); err != nil {
		return nil, err
	}
	resp := req.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.SupportedMechanisms = c.offered
	again := c.login.user != ""
	if !slices.Contains(c.offered, req.Mechanism) || again && req.Mechanism != c.login.mechanism {
		resp.ErrorCode = kerr.UnsupportedSaslMechanism.Code
		r.Last = true
		return ready(resp), nil
	}
	c.login.exchange = c.s.Authn.Start(req.Mechanism)
	c.login.mechanism = req.Mechanism
	c.login.step = tokens
	if r.Version == 0 {
		c.login.step = rawTokens
	}
	return ready(resp), nil
}

// saslHandshake answers where there is nothing to shake hands about.
func (s *Server) saslHandshake(r *kmsg.SASLHandshakeRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.SASLHandshakeResponse)
	resp.ErrorCode = kerr.IllegalSaslState.Code
	return resp
}
