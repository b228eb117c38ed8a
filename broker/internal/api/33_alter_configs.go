package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/wire"
)

// AlterConfigs, v0-2: replace all configs of topics. Clients have
// IncrementalAlterConfigs for it today.
//
// v2: flexible
func (s *Server) alterConfigs(req *wire.Request, r *kmsg.AlterConfigsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterConfigsResponse)
	for _, rr := range r.Resources {
		out := kmsg.NewAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		err := s.alterTopic(req, rr.ResourceType, rr.ResourceName, r.ValidateOnly, func(map[string]string) (map[string]string, error) {
			configs := map[string]string{}
			for _, c := range rr.Configs {
				if c.Value == nil {
					return nil, batch.Errorf(kerr.InvalidConfig, "Null value not supported for topic configs: %s", c.Name)
				}
				configs[c.Name] = *c.Value
			}
			return configs, nil
		})
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}
