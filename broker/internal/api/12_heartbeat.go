package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Heartbeat, v0-4: stay a member, and learn of rebalances.
//
// v3: static members
// v4: flexible
func (s *Server) heartbeat(req *wire.Request, r *kmsg.HeartbeatRequest) wire.Reply {
	return s.groupAnswer(req, r.Group,
		func(code int16) kmsg.Response { return failed(r, code) },
		func() (*coord.Answer, error) { return s.Groups.Heartbeat(r) })
}
