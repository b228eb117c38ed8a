package api

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// ListConfigResources, v0-1: what has configs.
//
// v0: client metrics only, of which there are none
// v1: any types; none are all
func (s *Server) listConfigResources(req *wire.Request, r *kmsg.ListConfigResourcesRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	if !s.mayCluster(req, toDescribeConfigs) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	if r.Version < 1 {
		return resp
	}
	known := []int8{
		int8(kmsg.ConfigResourceTypeTopic), int8(kmsg.ConfigResourceTypeBroker),
		int8(kmsg.ConfigResourceTypeBrokerLogger), int8(kmsg.ConfigResourceTypeClientMetrics),
		int8(kmsg.ConfigResourceTypeGroupConfig),
	}
	want := r.ResourceTypes
	if len(want) == 0 {
		want = known
	}
	for _, kind := range want {
		if !slices.Contains(known, kind) {
			resp.ErrorCode, resp.ConfigResources = kerr.UnsupportedVersion.Code, nil
			return resp
		}
		var names []string
		switch kind {
		case int8(kmsg.ConfigResourceTypeTopic):
			for _, t := range s.Catalog.Image().Topics() {
				names = append(names, t.Name)
			}
		case int8(kmsg.ConfigResourceTypeGroupConfig):
			names = slices.Sorted(maps.Keys(s.Catalog.GroupOverrides()))
		case int8(kmsg.ConfigResourceTypeBroker), int8(kmsg.ConfigResourceTypeBrokerLogger):
			names = []string{strconv.Itoa(int(NodeID))}
		}
		for _, name := range names {
			c := kmsg.NewListConfigResourcesResponseConfigResource()
			c.Name, c.Type = name, kind
			resp.ConfigResources = append(resp.ConfigResources, c)
		}
	}
	return resp
}
