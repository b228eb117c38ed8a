package catalog

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/settings"
)

// CheckConfigs returns an error with Kafka's code for the first override that
// isn't a topic config or has a bad value.
func CheckConfigs(configs map[string]string) error {
	for _, name := range sortedKeys(configs) {
		d, ok := settings.Find(settings.Topics, name)
		if !ok {
			return batch.Errorf(kerr.InvalidConfig, "Unknown topic config name: %s", name)
		}
		if why := d.Check(configs[name]); why != "" {
			return batch.Errorf(kerr.InvalidConfig, "Invalid value %s for configuration %s: %s", configs[name], name, why)
		}
	}
	if configs["remote.storage.enable"] == "true" {
		return batch.Errorf(kerr.InvalidConfig, "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	return nil
}

// TopicValue is the value of a topic's config: the override, or else what the
// broker's settings say.
func TopicValue(v *settings.View, d settings.Def, overrides map[string]string) string {
	if s, ok := overrides[d.Name]; ok {
		return s
	}
	return v.Default(d)
}

// codecs are those of compression.type; producer is none of them.
var codecs = map[string]batch.Codec{
	"uncompressed": batch.None, "gzip": batch.Gzip, "snappy": batch.Snappy, "lz4": batch.LZ4, "zstd": batch.Zstd,
}

// logConfig turns checked overrides into the config of a log.
func logConfig(v *settings.View, overrides map[string]string) partition.Config {
	c := partition.DefaultConfig()
	value := func(name string) string {
		d, _ := settings.Find(settings.Topics, name)
		return strings.TrimSpace(TopicValue(v, d, overrides))
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
	policy := settings.SplitList(value("cleanup.policy"))
	c.Delete, c.Compact = slices.Contains(policy, "delete"), slices.Contains(policy, "compact")
	c.SegmentBytes, c.SegmentAge = number("segment.bytes"), period("segment.ms")
	c.RetentionBytes, c.Retention = number("retention.bytes"), period("retention.ms")
	c.DeleteRetention = period("delete.retention.ms")
	c.MinCompactionLag, c.MaxCompactionLag = period("min.compaction.lag.ms"), period("max.compaction.lag.ms")
	c.MinDirtyRatio, _ = strconv.ParseFloat(value("min.cleanable.dirty.ratio"), 64)
	c.FileDeleteDelay = period("file.delete.delay.ms")
	c.MaxMessageBytes, c.IndexIntervalBytes = int(number("max.message.bytes")), int(number("index.interval.bytes"))
	c.Compression, c.Recompress = codecs[value("compression.type")]
	c.LogAppendTime = value("message.timestamp.type") == "LogAppendTime"
	c.TimestampAfterMax, c.TimestampBeforeMax = period("message.timestamp.after.max.ms"), period("message.timestamp.before.max.ms")
	c.FlushMessages, c.FlushInterval = number("flush.messages"), period("flush.ms")
	c.ProducerExpiry = v.Millis("producer.id.expiration.ms")
	if c.FlushMessages == math.MaxInt64 {
		c.FlushMessages = partition.Unlimited
	}
	return c
}
