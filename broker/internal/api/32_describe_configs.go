package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeConfigs, v1-4: every config of topics, groups and of the broker.
//
// v1: sources and synonyms
// v3: types, documentation
// v4: flexible
func (s *Server) describeConfigs(req *wire.Request, r *kmsg.DescribeConfigsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
	for _, rr := range r.Resources {
		out := kmsg.NewDescribeConfigsResponseResource()
		out.ResourceType, out.ResourceName = rr.ResourceType, rr.ResourceName
		configs, err := s.configsOf(rr)
		if denied := s.mayConfigure(req, toDescribeConfigs, rr.ResourceType, rr.ResourceName); denied != nil {
			configs, err = nil, denied
		}
		if err != nil {
			out.ErrorCode, out.ErrorMessage = s.explain(err)
		}
		for _, c := range configs {
			if !r.IncludeDocumentation {
				c.Documentation = nil
			}
			if rr.ConfigNames != nil && !slices.Contains(rr.ConfigNames, c.Name) {
				continue
			}
			if !r.IncludeSynonyms {
				c.ConfigSynonyms = nil
			}
			out.Configs = append(out.Configs, c)
		}
		resp.Resources = append(resp.Resources, out)
	}
	return resp
}

func (s *Server) configsOf(rr kmsg.DescribeConfigsRequestResource) ([]kmsg.DescribeConfigsResponseResourceConfig, error) {
	switch rr.ResourceType {
	case kmsg.ConfigResourceTypeTopic:
		if err := catalog.CheckName(rr.ResourceName); err != nil {
			return nil, err
		}
		t := s.Catalog.Image().Topic(rr.ResourceName)
		if t == nil {
			return nil, batch.Errorf(kerr.UnknownTopicOrPartition, "There is no topic %q.", rr.ResourceName)
		}
		return s.overridden(settings.Topics, t.Configs, kmsg.ConfigSourceDynamicTopicConfig), nil
	case kmsg.ConfigResourceTypeGroupConfig:
		if rr.ResourceName == "" {
			return nil, batch.Errorf(kerr.InvalidRequest, "Group name must not be empty")
		}
		return s.overridden(settings.Groups, s.Catalog.GroupOverrides()[rr.ResourceName], kmsg.ConfigSourceGroupConfig), nil
	case kmsg.ConfigResourceTypeBroker:
		this, err := isNode(rr.ResourceName, "Broker")
		switch {
		case err != nil:
			return nil, err
		case this:
			return s.brokerConfigs(), nil
		default:
			return s.clusterConfigs(), nil
		}
	case kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics:
		return nil, nil // there are none
	default:
		return nil, batch.Errorf(kerr.InvalidRequest, "Unsupported resource type: %d", rr.ResourceType)
	}
}

// overridden lists the configs of a topic or group, with the broker's settings
// that their defaults come from.
func (s *Server) overridden(table []settings.Def, overrides map[string]string, source kmsg.ConfigSource) []kmsg.DescribeConfigsResponseResourceConfig {
	v := s.Catalog.Settings()
	list := make([]kmsg.DescribeConfigsResponseResourceConfig, 0, len(table))
	for _, d := range table {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.ConfigType = d.Name, d.Type
		c.Value = kmsg.StringPtr(v.Default(d))
		c.Source = kmsg.ConfigSourceDefaultConfig
		below := belowOf(v, d)
		if len(below) > 0 {
			c.Source = below[0].Source
		}
		if value, ok := overrides[d.Name]; ok {
			c.Value, c.Source = &value, source
			c.ConfigSynonyms = append(c.ConfigSynonyms, synonym(d, value, source))
		}
		c.ConfigSynonyms = append(c.ConfigSynonyms, below...)
		c.IsDefault = c.Source == kmsg.ConfigSourceDefaultConfig
		list = append(list, c)
	}
	return list
}

// belowOf are the values that hold where nothing overrides them: those of the
// broker's settings that mean the same. As Kafka's, they are left out if there
// are several and none is set.
func belowOf(v *settings.View, d settings.Def) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	if len(d.Broker) == 0 {
		return nil
	}
	var list []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym
	set := len(d.Broker) == 1
	for _, s := range d.Broker {
		def, _ := settings.Find(settings.Brokers, s.Name)
		list = append(list, synonymsOf(v, def)...)
		set = set || v.IsSet(s.Name)
	}
	if !set {
		return nil
	}
	return list
}
