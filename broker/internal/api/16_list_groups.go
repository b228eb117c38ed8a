package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ListGroups, v0-5: all groups.
//
// v3: flexible
// v4: only groups in given states; states in the answer
// v5: only groups of given types; types in the answer
func (s *Server) listGroups(req *wire.Request, r *kmsg.ListGroupsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.ListGroupsResponse)
		groups, err := s.findGroups(ctx, r.StatesFilter, r.TypesFilter)
		if err != nil {
			return nil, err
		}
		if !s.sees(req, toDescribe, theCluster, acl.ClusterName) {
			groups = slices.DeleteFunc(groups, func(g kmsg.ListGroupsResponseGroup) bool { return !s.sees(req, toDescribe, aGroup, g.Group) })
		}
		resp.Groups = groups
		slices.SortFunc(resp.Groups, func(a, b kmsg.ListGroupsResponseGroup) int { return cmp.Compare(a.Group, b.Group) })
		return resp, nil
	})
}

// findGroups collects the groups in the given states and of the given types from all coordinators.
// The error is ctx's; a coordinator that stops has no groups.
func (s *Server) findGroups(ctx context.Context, states, types []string) ([]kmsg.ListGroupsResponseGroup, error) {
	var mu sync.Mutex // the coordinators work at the same time
	var found []kmsg.ListGroupsResponseGroup
	answers := s.Groups.Each(func(g *group.Group) {
		state, kind := g.StateName(), g.Kind().String()
		if !wanted(states, state) || !wanted(types, kind) {
			return
		}
		lg := kmsg.NewListGroupsResponseGroup()
		lg.Group, lg.ProtocolType, lg.GroupState, lg.GroupType = g.ID(), g.ProtocolType(), state, kind
		mu.Lock()
		defer mu.Unlock()
		found = append(found, lg)
	})
	for _, f := range answers {
		if _, err := f.Await(ctx); err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	return found, nil
}

// wanted says whether a filter, if there is one, names v.
func wanted(filter []string, v string) bool {
	return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, v) })
}
