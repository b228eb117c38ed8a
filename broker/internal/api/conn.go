package api

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Entrance is how a client has come in.
type Entrance struct {
	Listener   string   // "" is Dial
	Principal  string   // who the client is as long as SASL doesn't tell
	Mechanisms []string // of SASL; none lets clients in as they are
	Trusted    bool     // whether the client may do anything
}

// Conn is the broker's side of one connection: it lets no request through
// before the client has said who it is, tells handlers who that is, and slows
// down who takes too much. It is a wire.RawHandler.
type Conn struct {
	s       *Server
	next    wire.Handler // what is behind: the server, perhaps counted
	peer    wire.Peer
	offered []string
	login   login
	known   atomic.Bool // whether the client has said who it is
}

// NewConn returns the handler of a connection. Requests that are let through
// go to next.
func (s *Server) NewConn(e Entrance, client net.Addr, next wire.Handler) *Conn {
	host := client.String()
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	c := &Conn{s: s, next: next, offered: e.Mechanisms,
		peer: wire.Peer{Principal: e.Principal, Host: host, Listener: e.Listener, Trusted: e.Trusted}}
	c.known.Store(len(e.Mechanisms) == 0)
	return c
}

// Known says whether the client has said who it is. It may be called at any
// time.
func (c *Conn) Known() bool { return c.known.Load() }

// unknownBytes is the largest request of clients that haven't said who they
// are. Tokens can be large.
const unknownBytes = 128 << 10

// RequestBytes is the largest request of an API.
func (c *Conn) RequestBytes(key int16) int {
	n := c.s.RequestBytes(key)
	if !c.known.Load() {
		n = min(n, unknownBytes)
	}
	return n
}

// Raw says whether the next frame is a token without a header, as clients send
// them after the oldest version of SaslHandshake.
func (c *Conn) Raw() bool { return c.login.step == rawTokens }

var (
	errUnknownClient = errors.New("a request of a client that hasn't logged in")
	errExpired       = errors.New("the client's session has expired and it didn't log in again")
)

// Handle runs the first stage of a request, if the client may make any.
func (c *Conn) Handle(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	r.Peer = c.peer
	if len(c.offered) > 0 {
		if reply, flexible, taken, err := c.logIn(ctx, r); taken || err != nil {
			return reply, flexible, err
		}
	}
	began := c.s.Clock.Now()
	reply, flexible, err := c.next.Handle(ctx, r)
	if err != nil || !c.known.Load() {
		return reply, flexible, err
	}
	took := c.s.Clock.Now().Sub(began)
	return slow(r, reply, c.s.charge(r, quota.RequestPercentage, float64(took))), flexible, nil
}

// logIn takes what belongs to a login, and refuses what comes too early.
func (c *Conn) logIn(ctx context.Context, r *wire.Request) (reply wire.Reply, flexible, taken bool, err error) {
	switch {
	case c.login.step == rawTokens:
		reply, err = c.rawToken(ctx, r)
		return reply, false, true, err
	case c.login.step == tokens:
		if r.Key != keySaslAuthenticate {
			return nil, false, true, errUnknownClient
		}
		reply, flexible, err = c.authenticate(ctx, r)
		return reply, flexible, true, err
	case r.Key == keySaslHandshake && (!c.known.Load() || r.Version > 0):
		reply, err = c.handshake(r)
		return reply, false, true, err
	case c.known.Load():
		if c.login.expired(c.s.Clock.Now()) {
			return nil, false, true, errExpired
		}
		return nil, false, false, nil
	case r.Key == keyApiVersions:
		return nil, false, false, nil
	}
	return nil, false, true, errUnknownClient
}

// read decodes a request that doesn't get as far as the server.
func (c *Conn) read(r *wire.Request, into kmsg.Request) error {
	a, _ := served(r.Key)
	if r.Version < a.lowest || r.Version > a.max {
		return errUnsupported
	}
	into.SetVersion(r.Version)
	if into.IsFlexible() {
		if err := r.Flexible(); err != nil {
			return err
		}
	}
	return decode(r, into)
}

// delayed returns a reply that comes after d.
func (s *Server) delayed(d time.Duration, resp wire.Response) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		t := s.Clock.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C():
			return resp, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	})
}
