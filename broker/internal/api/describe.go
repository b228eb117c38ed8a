package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// description is how groups of a kind are described in a response, in which each
// has a D.
type description[D any] struct {
	kind group.Kind
	// head makes a description that tells only of an error.
	head func(id string, code int16, why *string) D
	ask  func(id string) (*coord.Future[coord.View[coord.Description[D]]], error)
	// hidden is what is told to who may not know of a topic that is mentioned, and so
	// not that the group has to do with it.
	hidden string
	allow  func(d *D, operations int32)
}

// describe describes groups. The error is ctx's.
func (how description[D]) describe(ctx context.Context, s *Server, req *wire.Request, ids []string, operations bool) ([]D, error) {
	var list []D
	for _, id := range ids {
		d, code, err := how.one(ctx, s, req, id)
		if err != nil {
			return nil, err
		}
		if operations && code == 0 {
			how.allow(&d, s.operations(req, aGroup, id))
		}
		list = append(list, d)
	}
	return list, nil
}

// one describes one group. The code is that in the description; the error is
// ctx's.
func (how description[D]) one(ctx context.Context, s *Server, req *wire.Request, id string) (d D, code int16, err error) {
	fail := func(code int16, why *string) (D, int16, error) { return how.head(id, code, why), code, nil }
	switch {
	case !s.mayGroup(req, toDescribe, id):
		return fail(groupDenied, nil)
	case id == "":
		return fail(kerr.InvalidGroupID.Code, nil)
	}
	f, err := how.ask(id)
	v, code, err := awaitCoord(ctx, s, f, err)
	switch {
	case err != nil:
		return d, 0, err
	case code != 0:
		return fail(code, nil)
	case v.Seen == coord.OtherKind:
		return fail(kerr.GroupIDNotFound.Code, kmsg.StringPtr("Group "+id+" is not a "+how.kind.String()+" group."))
	case v.Seen == coord.NoGroup:
		return fail(kerr.GroupIDNotFound.Code, kmsg.StringPtr("Group "+id+" not found."))
	case slices.ContainsFunc(v.What.Topics, func(name string) bool { return !s.sees(req, toDescribe, aTopic, name) }):
		return fail(topicDenied, &how.hidden)
	}
	return v.What.Group, 0, nil
}
