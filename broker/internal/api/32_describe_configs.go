package api

import (
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeConfigs, v1-4: every config of topics, and those of the broker.
//
// v1: sources and synonyms
// v3: types, documentation (which is left to Kafka's)
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
		return topicConfigs(t), nil
	case kmsg.ConfigResourceTypeBroker:
		if rr.ResourceName == "" {
			return nil, nil // the cluster-wide defaults: none are set
		}
		if rr.ResourceName != strconv.Itoa(int(NodeID)) {
			return nil, batch.Errorf(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", NodeID, rr.ResourceName)
		}
		return s.brokerConfigs(), nil
	case kmsg.ConfigResourceTypeBrokerLogger, kmsg.ConfigResourceTypeClientMetrics, kmsg.ConfigResourceTypeGroupConfig:
		return nil, nil // there are none
	default:
		return nil, batch.Errorf(kerr.InvalidRequest, "Unsupported resource type: %d", rr.ResourceType)
	}
}

func topicConfigs(t *catalog.Topic) []kmsg.DescribeConfigsResponseResourceConfig {
	var configs []kmsg.DescribeConfigsResponseResourceConfig
	for _, d := range catalog.Defs {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.ConfigType = d.Name, d.Type
		c.Value = kmsg.StringPtr(d.Value(t.Configs))
		c.Source, c.IsDefault = kmsg.ConfigSourceDefaultConfig, true
		if v, ok := t.Configs[d.Name]; ok {
			c.Source, c.IsDefault = kmsg.ConfigSourceDynamicTopicConfig, false
			c.ConfigSynonyms = append(c.ConfigSynonyms, synonym(d.Name, v, kmsg.ConfigSourceDynamicTopicConfig))
		}
		if d.Broker != "" {
			c.ConfigSynonyms = append(c.ConfigSynonyms, synonym(d.Broker, d.Default, kmsg.ConfigSourceDefaultConfig))
		}
		configs = append(configs, c)
	}
	return configs
}

func synonym(name, value string, source kmsg.ConfigSource) kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	c := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
	c.Name, c.Value, c.Source = name, kmsg.StringPtr(value), source
	return c
}

// brokerConfigs lists the broker's configs. They are set when it starts, so
// all are read only.
func (s *Server) brokerConfigs() []kmsg.DescribeConfigsResponseResourceConfig {
	all := map[string]kmsg.DescribeConfigsResponseResourceConfig{}
	put := func(name, value string, kind kmsg.ConfigType, source kmsg.ConfigSource) {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.Value, c.ConfigType, c.ReadOnly = name, kmsg.StringPtr(value), kind, true
		c.Source, c.IsDefault = source, source == kmsg.ConfigSourceDefaultConfig
		c.ConfigSynonyms = append(c.ConfigSynonyms, synonym(name, value, source))
		all[name] = c
	}
	for _, d := range catalog.Defs {
		if d.Broker != "" {
			put(d.Broker, d.Default, d.Type, kmsg.ConfigSourceDefaultConfig)
		}
	}
	for name, value := range s.BrokerConfigs {
		kind := kmsg.ConfigTypeString
		if _, err := strconv.ParseInt(value, 10, 64); err == nil {
			kind = kmsg.ConfigTypeLong
		} else if value == "true" || value == "false" {
			kind = kmsg.ConfigTypeBoolean
		}
		put(name, value, kind, kmsg.ConfigSourceStaticBrokerConfig)
	}
	var list []kmsg.DescribeConfigsResponseResourceConfig
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list
}
