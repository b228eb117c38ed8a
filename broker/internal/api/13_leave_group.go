package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// LeaveGroup, v0-5: end memberships.
//
// v3: many members, also static ones by instance id
// v4: flexible
// v5: a reason
func (s *Server) leaveGroup(req *wire.Request, r *kmsg.LeaveGroupRequest) wire.Reply {
	return s.groupAnswer(req, r.Group,
		func(code int16) kmsg.Response { return failed(r, code) },
		func() (*coord.Answer, error) { return s.Groups.Leave(r) })
}
