package api

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/settings"
)

// configured is something that has configs: how they are shown and changed.
type configured struct {
	table []settings.Def
	// value is what holds with the given overrides.
	value func(settings.Def, map[string]string) string
	// null is what is wrong with a missing value, before the config's name.
	null string
	// unknown is what is wrong with a name that isn't in the table.
	unknown func(name string) error
}

// changeOf makes new overrides of the old ones.
type changeOf func(configured, map[string]string) (map[string]string, error)

// alter changes the configs of something, or only tries to.
func (s *Server) alter(kind kmsg.ConfigResourceType, name string, validateOnly bool, change changeOf) error {
	switch kind {
	case kmsg.ConfigResourceTypeTopic:
		return s.alterTopic(name, validateOnly, change)
	case kmsg.ConfigResourceTypeGroupConfig:
		return s.alterGroup(name, validateOnly, change)
	case kmsg.ConfigResourceTypeBroker:
		return s.alterBroker(name, validateOnly, change)
	case kmsg.ConfigResourceTypeBrokerLogger:
		return batch.Errorf(kerr.InvalidConfig, "The levels of loggers are set when the broker starts.")
	case kmsg.ConfigResourceTypeClientMetrics:
		return batch.Errorf(kerr.InvalidRequest, "The broker doesn't collect the metrics of clients.")
	default:
		return batch.Errorf(kerr.InvalidRequest, "Unknown resource type %d", kind)
	}
}

func (s *Server) topicConfigured() configured {
	v := s.Catalog.Settings()
	return configured{
		table: settings.Topics,
		value: func(d settings.Def, o map[string]string) string { return catalog.TopicValue(v, d, o) },
		null:  "Null value not supported for : ",
		unknown: func(name string) error {
			return batch.Errorf(kerr.InvalidConfig, "Unknown topic config name: %s", name)
		},
	}
}

func (s *Server) alterTopic(name string, validateOnly bool, change changeOf) error {
	if name == "" {
		return batch.Errorf(kerr.InvalidRequest, "Default topic resources are not allowed.")
	}
	if err := catalog.CheckName(name); err != nil {
		return err
	}
	what := s.topicConfigured()
	do := func(old map[string]string) (map[string]string, error) { return change(what, old) }
	if !validateOnly {
		return s.Catalog.Configure(name, do)
	}
	t := s.Catalog.Image().Topic(name)
	if t == nil {
		return batch.Errorf(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", name)
	}
	configs, err := do(maps.Clone(t.Configs))
	if err != nil {
		return err
	}
	return catalog.CheckConfigs(configs)
}

func (s *Server) groupConfigured() configured {
	v := s.Catalog.Settings()
	return configured{
		table: settings.Groups,
		value: func(d settings.Def, o map[string]string) string {
			if value, ok := o[d.Name]; ok {
				return value
			}
			return v.Default(d)
		},
		null: "Null value not supported for : ",
		unknown: func(name string) error {
			return batch.Errorf(kerr.InvalidConfig, "Unknown group config name: %s", name)
		},
	}
}

func (s *Server) alterGroup(name string, validateOnly bool, change changeOf) error {
	what := s.groupConfigured()
	do := func(old map[string]string) (map[string]string, error) { return change(what, old) }
	if !validateOnly || name == "" {
		return s.Catalog.ConfigureGroup(name, do)
	}
	configs, err := do(maps.Clone(s.Catalog.GroupOverrides()[name]))
	if err != nil {
		return err
	}
	return s.Catalog.CheckGroupConfigs(configs)
}

// set replaces all overrides.
func set(configs []kmsg.AlterConfigsRequestResourceConfig) changeOf {
	return func(what configured, _ map[string]string) (map[string]string, error) {
		next := map[string]string{}
		for _, c := range configs {
			if c.Value == nil {
				return nil, batch.Errorf(kerr.InvalidRequest, "%s%s", what.null, c.Name)
			}
			if _, ok := settings.Find(what.table, c.Name); !ok {
				return nil, what.unknown(c.Name)
			}
			next[c.Name] = *c.Value
		}
		return next, nil
	}
}

// increment applies the operations to the overrides.
func increment(ops []kmsg.IncrementalAlterConfigsRequestResourceConfig) changeOf {
	return func(what configured, old map[string]string) (map[string]string, error) {
		next := maps.Clone(old)
		if next == nil {
			next = map[string]string{}
		}
		seen := map[string]bool{}
		for _, op := range ops {
			if seen[op.Name] {
				return nil, batch.Errorf(kerr.InvalidRequest, "Error due to duplicate config keys")
			}
			seen[op.Name] = true
			if err := what.apply(next, op); err != nil {
				return nil, err
			}
		}
		return next, nil
	}
}

// apply applies one operation to overrides.
func (what configured) apply(configs map[string]string, op kmsg.IncrementalAlterConfigsRequestResourceConfig) error {
	d, ok := settings.Find(what.table, op.Name)
	switch {
	case op.Op != kmsg.IncrementalAlterConfigOpDelete && op.Value == nil:
		return batch.Errorf(kerr.InvalidRequest, "%s%s", what.null, op.Name)
	case !ok && op.Op == kmsg.IncrementalAlterConfigOpDelete:
		return nil // it isn't there
	case !ok:
		return what.unknown(op.Name)
	}
	switch op.Op {
	case kmsg.IncrementalAlterConfigOpSet:
		configs[op.Name] = *op.Value
	case kmsg.IncrementalAlterConfigOpDelete:
		delete(configs, op.Name)
	case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
		if d.Type != kmsg.ConfigTypeList {
			return batch.Errorf(kerr.InvalidConfig, "Can't %s to key %s because its type is not LIST.", op.Op, op.Name)
		}
		configs[op.Name] = changeList(what.value(d, configs), *op.Value, op.Op)
	default:
		return batch.Errorf(kerr.InvalidRequest, "Unknown operation %d on %s", op.Op, op.Name)
	}
	return nil
}

// changeList adds the values that aren't in the list, or removes those that are.
func changeList(list, values string, op kmsg.IncrementalAlterConfigOp) string {
	have := settings.SplitList(list)
	for _, v := range settings.SplitList(values) {
		switch {
		case op == kmsg.IncrementalAlterConfigOpSubtract:
			have = slices.DeleteFunc(have, func(h string) bool { return h == v })
		case !slices.Contains(have, v):
			have = append(have, v)
		}
	}
	return strings.Join(have, ",")
}

// isNode says whether name is that of this broker; "" is any broker.
func isNode(name, what string) (bool, error) {
	if name == "" {
		return false, nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil {
		return false, batch.Errorf(kerr.InvalidRequest, "%s id must be an integer, but it is: %s", what, name)
	}
	if int32(id) != NodeID {
		return false, batch.Errorf(kerr.InvalidRequest, "Unexpected broker id, expected %d or empty string, but received %s", NodeID, name)
	}
	return true, nil
}
