package catalog

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// Def defines one topic config.
type Def struct {
	Name    string
	Type    kmsg.ConfigType
	Default string
	// Broker is the broker config that Kafka takes the default from; "" if
	// there is none.
	Broker  string
	valid   []string // values of a string or list
	min     float64  // smallest number; the largest is the type's, or max
	max     float64  // 0 is the type's
	notUsed bool     // accepted and shown, without effect in this broker
}

const (
	maxLong = "9223372036854775807"
)

// Defs are all topic configs that Kafka 4.3 knows, by name.
var Defs = []Def{
	{Name: "cleanup.policy", Type: kmsg.ConfigTypeList, Default: "delete", Broker: "log.cleanup.policy", valid: []string{"delete", "compact"}},
	{Name: "compression.gzip.level", Type: kmsg.ConfigTypeInt, Default: "-1", Broker: "compression.gzip.level", min: -1, max: 9, notUsed: true},
	{Name: "compression.lz4.level", Type: kmsg.ConfigTypeInt, Default: "9", Broker: "compression.lz4.level", min: 1, max: 17, notUsed: true},
	{Name: "compression.type", Type: kmsg.ConfigTypeString, Default: "producer", Broker: "compression.type", valid: []string{"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"}, notUsed: true},
	{Name: "compression.zstd.level", Type: kmsg.ConfigTypeInt, Default: "3", Broker: "compression.zstd.level", min: -131072, max: 22, notUsed: true},
	{Name: "delete.retention.ms", Type: kmsg.ConfigTypeLong, Default: "86400000", Broker: "log.cleaner.delete.retention.ms"},
	{Name: "file.delete.delay.ms", Type: kmsg.ConfigTypeLong, Default: "60000", Broker: "log.segment.delete.delay.ms"},
	{Name: "flush.messages", Type: kmsg.ConfigTypeLong, Default: maxLong, Broker: "log.flush.interval.messages", min: 1},
	{Name: "flush.ms", Type: kmsg.ConfigTypeLong, Default: maxLong, Broker: "log.flush.interval.ms"},
	{Name: "follower.replication.throttled.replicas", Type: kmsg.ConfigTypeList, Default: "", notUsed: true},
	{Name: "index.interval.bytes", Type: kmsg.ConfigTypeInt, Default: "4096", Broker: "log.index.interval.bytes"},
	{Name: "leader.replication.throttled.replicas", Type: kmsg.ConfigTypeList, Default: "", notUsed: true},
	{Name: "local.retention.bytes", Type: kmsg.ConfigTypeLong, Default: "-2", Broker: "log.local.retention.bytes", min: -2, notUsed: true},
	{Name: "local.retention.ms", Type: kmsg.ConfigTypeLong, Default: "-2", Broker: "log.local.retention.ms", min: -2, notUsed: true},
	{Name: "max.compaction.lag.ms", Type: kmsg.ConfigTypeLong, Default: maxLong, Broker: "log.cleaner.max.compaction.lag.ms", min: 1},
	{Name: "max.message.bytes", Type: kmsg.ConfigTypeInt, Default: "1048588", Broker: "message.max.bytes"},
	{Name: "message.timestamp.after.max.ms", Type: kmsg.ConfigTypeLong, Default: "3600000", Broker: "log.message.timestamp.after.max.ms"},
	{Name: "message.timestamp.before.max.ms", Type: kmsg.ConfigTypeLong, Default: maxLong, Broker: "log.message.timestamp.before.max.ms"},
	{Name: "message.timestamp.type", Type: kmsg.ConfigTypeString, Default: "CreateTime", Broker: "log.message.timestamp.type", valid: []string{"CreateTime", "LogAppendTime"}},
	{Name: "min.cleanable.dirty.ratio", Type: kmsg.ConfigTypeDouble, Default: "0.5", Broker: "log.cleaner.min.cleanable.ratio", max: 1},
	{Name: "min.compaction.lag.ms", Type: kmsg.ConfigTypeLong, Default: "0", Broker: "log.cleaner.min.compaction.lag.ms"},
	{Name: "min.insync.replicas", Type: kmsg.ConfigTypeInt, Default: "1", Broker: "min.insync.replicas", min: 1, notUsed: true},
	{Name: "preallocate", Type: kmsg.ConfigTypeBoolean, Default: "false", Broker: "log.preallocate", notUsed: true},
	{Name: "remote.log.copy.disable", Type: kmsg.ConfigTypeBoolean, Default: "false", notUsed: true},
	{Name: "remote.log.delete.on.disable", Type: kmsg.ConfigTypeBoolean, Default: "false", notUsed: true},
	{Name: "remote.storage.enable", Type: kmsg.ConfigTypeBoolean, Default: "false", notUsed: true},
	{Name: "retention.bytes", Type: kmsg.ConfigTypeLong, Default: "-1", Broker: "log.retention.bytes", min: -1},
	{Name: "retention.ms", Type: kmsg.ConfigTypeLong, Default: "604800000", Broker: "log.retention.ms", min: -1},
	{Name: "segment.bytes", Type: kmsg.ConfigTypeInt, Default: "1073741824", Broker: "log.segment.bytes", min: 14},
	{Name: "segment.index.bytes", Type: kmsg.ConfigTypeInt, Default: "10485760", Broker: "log.index.size.max.bytes", min: 4, notUsed: true},
	{Name: "segment.jitter.ms", Type: kmsg.ConfigTypeLong, Default: "0", Broker: "log.roll.jitter.ms", notUsed: true},
	{Name: "segment.ms", Type: kmsg.ConfigTypeLong, Default: "604800000", Broker: "log.roll.ms", min: 1},
	{Name: "unclean.leader.election.enable", Type: kmsg.ConfigTypeBoolean, Default: "false", Broker: "unclean.leader.election.enable", notUsed: true},
}

// DefOf finds the definition of a topic config.
func DefOf(name string) (Def, bool) {
	i, ok := slices.BinarySearchFunc(Defs, name, func(d Def, n string) int { return strings.Compare(d.Name, n) })
	if !ok {
		return Def{}, false
	}
	return Defs[i], true
}

// CheckConfigs returns an error with Kafka's code for the first override that
// isn't a topic config or has a bad value.
func CheckConfigs(configs map[string]string) error {
	for _, name := range sortedKeys(configs) {
		d, ok := DefOf(name)
		if !ok {
			return batch.Errorf(kerr.InvalidConfig, "Unknown topic config name: %s", name)
		}
		if why := d.check(configs[name]); why != "" {
			return batch.Errorf(kerr.InvalidConfig, "Invalid value %s for configuration %s: %s", configs[name], name, why)
		}
	}
	if configs["remote.storage.enable"] == "true" {
		return batch.Errorf(kerr.InvalidConfig, "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	return nil
}

// check says what is wrong with a value; "" is nothing.
func (d Def) check(value string) string {
	switch d.Type {
	case kmsg.ConfigTypeBoolean:
		if v := strings.ToLower(value); v != "true" && v != "false" {
			return "Expected value to be either true or false"
		}
		return ""
	case kmsg.ConfigTypeInt, kmsg.ConfigTypeLong:
		bits, name := 64, "LONG"
		if d.Type == kmsg.ConfigTypeInt {
			bits, name = 32, "INT"
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits)
		if err != nil {
			return "Not a number of type " + name
		}
		return d.checkRange(float64(n))
	case kmsg.ConfigTypeDouble:
		f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || math.IsNaN(f) {
			return "Not a number of type DOUBLE"
		}
		return d.checkRange(f)
	case kmsg.ConfigTypeList:
		return d.checkList(SplitList(value))
	default:
		return d.checkList([]string{value})
	}
}

func (d Def) checkRange(v float64) string {
	if v < d.min {
		return fmt.Sprintf("Value must be at least %g", d.min)
	}
	if d.max != 0 && v > d.max {
		return fmt.Sprintf("Value must be no more than %g", d.max)
	}
	return ""
}

func (d Def) checkList(values []string) string {
	if d.valid == nil {
		return ""
	}
	for _, v := range values {
		if !slices.Contains(d.valid, v) {
			return "String must be one of: " + strings.Join(d.valid, ", ")
		}
	}
	return ""
}

// SplitList splits the value of a list config.
func SplitList(value string) []string {
	var list []string
	for v := range strings.SplitSeq(value, ",") {
		if v = strings.TrimSpace(v); v != "" {
			list = append(list, v)
		}
	}
	return list
}

// Value is the value of a config under the given overrides.
func (d Def) Value(overrides map[string]string) string {
	if v, ok := overrides[d.Name]; ok {
		return v
	}
	return d.Default
}

// logConfig turns checked overrides into the config of a log.
func logConfig(overrides map[string]string) partition.Config {
	c := partition.DefaultConfig()
	value := func(name string) string {
		d, _ := DefOf(name)
		return strings.TrimSpace(d.Value(overrides))
	}
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(value(name), 10, 64) // checked by CheckConfigs
		return n
	}
	period := func(name string) time.Duration {
		n := number(name)
		if n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
			return partition.Unlimited
		}
		return time.Duration(n) * time.Millisecond
	}
	policy := SplitList(value("cleanup.policy"))
	c.Delete, c.Compact = slices.Contains(policy, "delete"), slices.Contains(policy, "compact")
	c.SegmentBytes, c.SegmentAge = number("segment.bytes"), period("segment.ms")
	c.RetentionBytes, c.Retention = number("retention.bytes"), period("retention.ms")
	c.DeleteRetention = period("delete.retention.ms")
	c.MinCompactionLag, c.MaxCompactionLag = period("min.compaction.lag.ms"), period("max.compaction.lag.ms")
	c.MinDirtyRatio, _ = strconv.ParseFloat(value("min.cleanable.dirty.ratio"), 64)
	c.FileDeleteDelay = period("file.delete.delay.ms")
	c.MaxMessageBytes, c.IndexIntervalBytes = int(number("max.message.bytes")), int(number("index.interval.bytes"))
	c.LogAppendTime = value("message.timestamp.type") == "LogAppendTime"
	c.TimestampAfterMax, c.TimestampBeforeMax = period("message.timestamp.after.max.ms"), period("message.timestamp.before.max.ms")
	c.FlushMessages, c.FlushInterval = number("flush.messages"), period("flush.ms")
	if c.FlushMessages == math.MaxInt64 {
		c.FlushMessages = partition.Unlimited
	}
	return c
}
