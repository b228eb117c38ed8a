package api

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// IncrementalAlterConfigs, v0-1: set, delete, append to and subtract from
// configs of topics. The broker's own are set when it starts.
//
// v1: flexible
func (s *Server) incrementalAlterConfigs(req *wire.Request, r *kmsg.IncrementalAlterConfigsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, rr := range r.Resources {
		out := kmsg.NewIncrementalAlterConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		err := s.alterTopic(req, rr.ResourceType, rr.ResourceName, r.ValidateOnly, func(configs map[string]string) (map[string]string, error) {
			return increment(configs, rr.Configs)
		})
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

// alterTopic changes the configs of a topic, or only tries to.
func (s *Server) alterTopic(req *wire.Request, kind kmsg.ConfigResourceType, name string, validateOnly bool, change func(map[string]string) (map[string]string, error)) error {
	if err := s.mayConfigure(req, toAlterConfigs, kind, name); err != nil {
		return err
	}
	if kind != kmsg.ConfigResourceTypeTopic {
		return batch.Errorf(kerr.InvalidRequest, "Only topics can be altered while the broker runs, not resources of type %d.", kind)
	}
	if err := catalog.CheckName(name); err != nil {
		return err
	}
	if !validateOnly {
		return s.Catalog.Configure(name, change)
	}
	t := s.Catalog.Image().Topic(name)
	if t == nil {
		return batch.Errorf(kerr.UnknownTopicOrPartition, "There is no topic %q.", name)
	}
	configs, err := change(cloneConfigs(t.Configs))
	if err != nil {
		return err
	}
	return catalog.CheckConfigs(configs)
}

// increment applies the operations to configs.
func increment(configs map[string]string, ops []kmsg.IncrementalAlterConfigsRequestResourceConfig) (map[string]string, error) {
	configs = cloneConfigs(configs)
	seen := map[string]bool{}
	for _, op := range ops {
		d, ok := catalog.DefOf(op.Name)
		switch {
		case seen[op.Name]:
			return nil, batch.Errorf(kerr.InvalidRequest, "Error due to duplicate config keys: %s", op.Name)
		case !ok:
			return nil, batch.Errorf(kerr.InvalidConfig, "Unknown topic config name: %s", op.Name)
		case op.Op != kmsg.IncrementalAlterConfigOpDelete && op.Value == nil:
			return nil, batch.Errorf(kerr.InvalidRequest, "Null value not supported for: %s", op.Name)
		}
		seen[op.Name] = true
		switch op.Op {
		case kmsg.IncrementalAlterConfigOpSet:
			configs[op.Name] = *op.Value
		case kmsg.IncrementalAlterConfigOpDelete:
			delete(configs, op.Name)
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			if d.Type != kmsg.ConfigTypeList {
				return nil, batch.Errorf(kerr.InvalidConfig, "Can't append to or subtract from %s: it is not a list.", op.Name)
			}
			configs[op.Name] = changeList(d.Value(configs), *op.Value, op.Op)
		default:
			return nil, batch.Errorf(kerr.InvalidRequest, "Unknown operation %d on %s", op.Op, op.Name)
		}
	}
	return configs, nil
}

// changeList adds the values that aren't in the list, or removes those that are.
func changeList(list, values string, op kmsg.IncrementalAlterConfigOp) string {
	have := catalog.SplitList(list)
	for _, v := range catalog.SplitList(values) {
		switch {
		case op == kmsg.IncrementalAlterConfigOpSubtract:
			have = slices.DeleteFunc(have, func(h string) bool { return h == v })
		case !slices.Contains(have, v):
			have = append(have, v)
		}
	}
	return strings.Join(have, ",")
}

func cloneConfigs(configs map[string]string) map[string]string {
	c := make(map[string]string, len(configs))
	for k, v := range configs {
		c[k] = v
	}
	return c
}
