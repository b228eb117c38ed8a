package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/sharegroup"
	"github.com/leatstream/leat/broker/internal/wire"
)

// sharedBy is the partitions of which a share group has a state; nil if there is
// no such group. The error is ctx's.
func (s *Server) sharedBy(ctx context.Context, group string) (shared assignor.Assignment, code int16, err error) {
	f, err := s.Groups.Shared(group)
	v, code, err := awaitCoord(ctx, s, f, err)
	return v.What, code, err
}

// reshape changes the partitions of which a share group has a state: 0, or why
// that can't be. The error is ctx's.
func (s *Server) reshape(ctx context.Context, group string, absent coord.Absent, change sharegroup.Change) (int16, error) {
	f, err := s.Groups.ReshapeShare(group, absent, change)
	done, code, err := awaitCoord(ctx, s, f, err)
	if code == 0 {
		code = done
	}
	return code, err
}

// shareSummary asks for the state of a share partition. The error is ctx's.
func (s *Server) shareSummary(ctx context.Context, group string, t *catalog.Topic, p int32) (coord.ShareSummary, int16, error) {
	f, err := s.Shares.Summary(share.Key{Group: group, Topic: t.ID, Partition: p})
	return awaitCoord(ctx, s, f, err)
}

// shareAdmin checks whether a client may change the offsets of a share group.
func (s *Server) shareAdmin(req *wire.Request, mayGroup bool, group string) int16 {
	switch {
	case !mayGroup:
		return groupDenied
	case group == "":
		return kerr.InvalidGroupID.Code
	}
	return 0
}
