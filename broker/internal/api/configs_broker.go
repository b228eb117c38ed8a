package api

import (
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/settings"
)

func (s *Server) brokerConfigured() configured {
	v := s.Catalog.Settings()
	return configured{
		table: settings.Brokers,
		value: func(d settings.Def, o map[string]string) string {
			if value, ok := o[d.Name]; ok {
				return value
			}
			return v.Text(d.Name)
		},
		null: "Null value not supported for : ",
		unknown: func(name string) error {
			return batch.Errorf(kerr.InvalidConfig, "Unknown broker config name: %s", name)
		},
	}
}

// alterBroker changes settings of this broker, or, without a name, of any.
func (s *Server) alterBroker(name string, validateOnly bool, change changeOf) error {
	this, err := isNode(name, "Node")
	if err != nil {
		return err
	}
	what := s.brokerConfigured()
	do := func(l settings.Layers) (settings.Layers, error) {
		layer := &l.Cluster
		if this {
			layer = &l.Broker
		}
		next, err := change(what, maps.Clone(*layer))
		if err != nil {
			return l, err
		}
		if err := checkBroker(*layer, next, this); err != nil {
			return l, err
		}
		*layer = next
		return l, nil
	}
	if validateOnly {
		_, err := do(s.Catalog.Settings().Layers())
		return err
	}
	return s.Catalog.ConfigureBroker(do)
}

// checkBroker refuses a change of what can't be changed while the broker runs,
// and values that can't be.
func checkBroker(old, next map[string]string, this bool) error {
	var fixed, own []string
	for _, name := range slices.Sorted(maps.Keys(next)) {
		value := next[name]
		if before, ok := old[name]; ok && before == value {
			continue
		}
		d, _ := settings.Find(settings.Brokers, name)
		if why := d.Check(value); why != "" {
			return batch.Errorf(kerr.InvalidRequest, "Invalid value %s for configuration %s: %s", value, name, why)
		}
		switch {
		case d.Scope == settings.AtStart:
			fixed = append(fixed, name)
		case d.Scope == settings.PerBroker && !this:
			own = append(own, name)
		}
	}
	if len(fixed) > 0 {
		return batch.Errorf(kerr.InvalidRequest, "Cannot update these configs dynamically: [%s]", strings.Join(fixed, ", "))
	}
	if len(own) > 0 {
		return batch.Errorf(kerr.InvalidRequest, "Cannot update these configs at default cluster level, broker id must be specified: [%s]", strings.Join(own, ", "))
	}
	return nil
}

// brokerConfigs lists all settings of this broker.
func (s *Server) brokerConfigs() []kmsg.DescribeConfigsResponseResourceConfig {
	v := s.Catalog.Settings()
	list := make([]kmsg.DescribeConfigsResponseResourceConfig, 0, len(settings.Brokers))
	for _, d := range settings.Brokers {
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.ConfigType, c.IsSensitive = d.Name, d.Type, d.Secret()
		c.ReadOnly = d.Scope == settings.AtStart
		c.Documentation = documentation(d)
		c.ConfigSynonyms = synonymsOf(v, d)
		if s.Shown[d.Name] != "" {
			c.ConfigSynonyms = slices.Insert(c.ConfigSynonyms, 0, synonym(d, s.Shown[d.Name], kmsg.ConfigSourceStaticBrokerConfig))
		}
		c.Source = kmsg.ConfigSourceDefaultConfig
		if len(c.ConfigSynonyms) > 0 {
			c.Value, c.Source = c.ConfigSynonyms[0].Value, c.ConfigSynonyms[0].Source
		}
		c.IsDefault = c.Source == kmsg.ConfigSourceDefaultConfig
		if of, ok := derived[d.Name]; ok {
			// Kafka tells of the other names in the synonyms of the first.
			for _, other := range of {
				def, _ := settings.Find(settings.Brokers, other)
				if len(c.ConfigSynonyms) > 0 {
					c.ConfigSynonyms = append(c.ConfigSynonyms, synonymsOf(v, def)...)
				}
			}
		}
		list = append(list, c)
	}
	return list
}

// derived are the settings that other names mean too, in larger units.
var derived = map[string][]string{
	"log.retention.ms": {"log.retention.minutes", "log.retention.hours"},
	"log.roll.ms":      {"log.roll.hours"},
}

// clusterConfigs lists what was set for any broker.
func (s *Server) clusterConfigs() []kmsg.DescribeConfigsResponseResourceConfig {
	var list []kmsg.DescribeConfigsResponseResourceConfig
	set := s.Catalog.Settings().Layers().Cluster
	for _, name := range slices.Sorted(maps.Keys(set)) {
		d, _ := settings.Find(settings.Brokers, name)
		c := kmsg.NewDescribeConfigsResponseResourceConfig()
		c.Name, c.ConfigType, c.IsSensitive, c.Documentation = d.Name, d.Type, d.Secret(), documentation(d)
		c.Source = kmsg.ConfigSourceDynamicDefaultBrokerConfig
		c.ConfigSynonyms = append(c.ConfigSynonyms, synonym(d, set[name], c.Source))
		c.Value = c.ConfigSynonyms[0].Value
		list = append(list, c)
	}
	return list
}

// synonymsOf are the values that were set for a setting, the one that holds
// first, and its default.
func synonymsOf(v *settings.View, d settings.Def) []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	var list []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym
	l := v.Layers()
	for _, layer := range []struct {
		set    map[string]string
		source kmsg.ConfigSource
	}{
		{l.Broker, kmsg.ConfigSourceDynamicBrokerConfig},
		{l.Cluster, kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{l.Static, kmsg.ConfigSourceStaticBrokerConfig},
	} {
		if value, ok := layer.set[d.Name]; ok {
			list = append(list, synonym(d, value, layer.source))
		}
	}
	if !d.Null {
		list = append(list, synonym(d, d.Default, kmsg.ConfigSourceDefaultConfig))
	}
	return list
}

// synonym is one value of a setting; what is secret isn't told.
func synonym(d settings.Def, value string, source kmsg.ConfigSource) kmsg.DescribeConfigsResponseResourceConfigConfigSynonym {
	c := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
	c.Name, c.Source = d.Name, source
	if !d.Secret() {
		c.Value = kmsg.StringPtr(value)
	}
	return c
}

// documentation is what a setting does here.
func documentation(d settings.Def) *string {
	text := d.Note
	switch {
	case d.Effect == settings.Meaningless && text == "":
		text = "Accepted and shown; one node in one process has no use for it."
	case d.Effect == settings.Unserved:
		text = "Refused: " + text + "."
	case text == "":
		return nil
	default:
		text = strings.ToUpper(text[:1]) + text[1:] + "."
	}
	return &text
}
