package api

import (
	"context"
	"strings"
	"time"

	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/wire"
)

// charge notes that a client took something that quotas may limit, and returns
// for how long it has to wait.
func (s *Server) charge(r *wire.Request, what string, amount float64) time.Duration {
	t := s.Catalog.Security().Quotas
	if len(t.Entries()) == 0 || r.Trusted {
		return 0
	}
	d := s.Limiter.Record(t, what, userOf(r), r.ClientID, amount, s.Clock.Now())
	if d > 0 && s.Throttled != nil {
		s.Throttled(d)
	}
	return d
}

// grant is charge for what a client is about to get. Unless it is granted, the
// client gets nothing, and comes back after the wait.
func (s *Server) grant(r *wire.Request, what string, amount float64) (wait time.Duration, granted bool) {
	t := s.Catalog.Security().Quotas
	if len(t.Entries()) == 0 || r.Trusted {
		return 0, true
	}
	wait, granted = s.Limiter.Admit(t, what, userOf(r), r.ClientID, amount, s.Clock.Now())
	if wait > 0 && s.Throttled != nil {
		s.Throttled(wait)
	}
	return wait, granted
}

// userOf is the name in the client's principal.
func userOf(r *wire.Request) string {
	_, name, _ := strings.Cut(r.Principal, ":")
	return name
}

// fetchBytes is how much of want a client may fetch at once.
func (s *Server) fetchBytes(r *wire.Request, want int32) int {
	t := s.Catalog.Security().Quotas
	if len(t.Entries()) == 0 || r.Trusted {
		return int(want)
	}
	if burst, ok := s.Limiter.Burst(t, quota.FetchRate, userOf(r), r.ClientID); ok {
		return min(int(want), burst)
	}
	return int(want)
}

// throttleMillis is d as responses tell it.
func throttleMillis(d time.Duration) int32 { return int32(d.Milliseconds()) }

// slow makes the reply to a request tell its client to wait for d, and leaves
// the connection unread for so long.
func slow(r *wire.Request, reply wire.Reply, d time.Duration) wire.Reply {
	if d <= 0 {
		return reply
	}
	r.Mute = max(r.Mute, d)
	if now, ok := reply.(wire.Ready); ok {
		setThrottle(now.Response, d)
		return now
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		resp, err := reply.Await(ctx)
		if err == nil {
			setThrottle(resp, d)
		}
		return resp, err
	})
}

// setThrottle tells of a wait, if the response can and tells of none.
func setThrottle(resp wire.Response, d time.Duration) {
	t, ok := resp.(interface{ SetThrottle(int32) })
	if ok {
		t.SetThrottle(throttleMillis(d))
	}
}
