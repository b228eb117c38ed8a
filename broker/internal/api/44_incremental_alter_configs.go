package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// IncrementalAlterConfigs, v0-1: set, delete, append to and subtract from
// configs of topics, groups, and of the broker.
//
// v1: flexible
func (s *Server) incrementalAlterConfigs(req *wire.Request, r *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, rr := range r.Resources {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		err := s.mayConfigure(req, toAlterConfigs, rr.ResourceType, rr.ResourceName)
		if err == nil {
			err = s.alter(rr.ResourceType, rr.ResourceName, r.ValidateOnly, increment(rr.Configs))
		}
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}
