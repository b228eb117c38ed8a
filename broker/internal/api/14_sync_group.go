package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// SyncGroup, v0-5: the leader brings the assignment, everyone gets theirs.
//
// v3: static members
// v4: flexible
// v5: protocol type and name, checked against the group's
func (s *Server) syncGroup(req *wire.Request, r *kmsg.SyncGroupRequest) wire.Reply {
	return s.groupAnswer(req, r.Group,
		func(code int16) kmsg.Response { return failed(r, code) },
		func() (*coord.Answer, error) { return s.Groups.Sync(r) })
}
