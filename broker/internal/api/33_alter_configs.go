package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// AlterConfigs, v0-2: replace all configs of something. Clients have
// IncrementalAlterConfigs for it today.
//
// v2: flexible
func (s *Server) alterConfigs(req *wire.Request, r *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterConfigsResponse)
	for _, rr := range r.Resources {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		err := s.mayConfigure(req, toAlterConfigs, rr.ResourceType, rr.ResourceName)
		if err == nil {
			err = s.alter(rr.ResourceType, rr.ResourceName, r.ValidateOnly, set(rr.Configs))
		}
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}
