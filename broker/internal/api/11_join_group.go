package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// JoinGroup, v0-9: become a member of a group, or take part in a rebalance.
// The answer comes when the rebalance has all members.
//
// v1: rebalance timeout
// v4: new members get an id first and have to come again with it
// v5: static members
// v6: flexible
// v7: protocol type in the answer
// v8: a reason
// v9: a returning static leader is told to skip the assignment
func (s *Server) joinGroup(req *wire.Request, r *kmsg.JoinGroupRequest) wire.Reply {
	return s.groupAnswer(req, r.Group,
		func(code int16) kmsg.Response { return failed(r, code) },
		func() (*coord.Answer, error) { return s.Groups.Join(r, clientOf(req)) })
}
