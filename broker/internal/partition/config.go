package partition

import (
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Unlimited switches off a limit in a Config.
const Unlimited = -1

// Config is how one topic wants its logs kept. The names in the comments are
// those of Kafka's topic configs. Durations are whole milliseconds there.
type Config struct {
	SegmentBytes        int64         // segment.bytes
	SegmentAge          time.Duration // segment.ms, by the records' own time
	RetentionBytes      int64         // retention.bytes, Unlimited
	Retention           time.Duration // retention.ms, Unlimited
	Delete              bool          // cleanup.policy contains delete
	Compact             bool          // cleanup.policy contains compact
	DeleteRetention     time.Duration // delete.retention.ms: how long compaction keeps tombstones
	MinCompactionLag    time.Duration // min.compaction.lag.ms
	MaxCompactionLag    time.Duration // max.compaction.lag.ms, Unlimited
	MinDirtyRatio       float64       // min.cleanable.dirty.ratio
	FileDeleteDelay     time.Duration // file.delete.delay.ms
	MaxMessageBytes     int           // max.message.bytes: the largest batch
	Recompress          bool          // compression.type is not producer
	Compression         batch.Codec   // then it is this
	IndexIntervalBytes  int           // index.interval.bytes
	LogAppendTime       bool          // message.timestamp.type
	TimestampAfterMax   time.Duration // message.timestamp.after.max.ms, Unlimited
	TimestampBeforeMax  time.Duration // message.timestamp.before.max.ms, Unlimited
	FlushMessages       int64         // flush.messages, Unlimited
	FlushInterval       time.Duration // flush.ms, Unlimited
	ProducerExpiry      time.Duration // producer.id.expiration.ms (a broker config)
	MaxCompactionKeys   int           // keys looked at in one round of compaction, at about 60 bytes each
	MaxDecompressedSize int           // bytes one batch may decompress to
}

// DefaultConfig is Kafka's defaults, as of 4.3.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:        1 << 30,
		SegmentAge:          7 * 24 * time.Hour,
		RetentionBytes:      Unlimited,
		Retention:           7 * 24 * time.Hour,
		Delete:              true,
		DeleteRetention:     24 * time.Hour,
		MaxCompactionLag:    Unlimited,
		MinDirtyRatio:       0.5,
		FileDeleteDelay:     time.Minute,
		MaxMessageBytes:     1048588,
		IndexIntervalBytes:  4096,
		TimestampAfterMax:   time.Hour,
		TimestampBeforeMax:  Unlimited,
		FlushMessages:       Unlimited,
		FlushInterval:       Unlimited,
		ProducerExpiry:      24 * time.Hour,
		MaxCompactionKeys:   1_000_000,
		MaxDecompressedSize: 128 << 20,
	}
}
