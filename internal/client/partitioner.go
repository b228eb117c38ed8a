package client

import "github.com/twmb/franz-go/pkg/kgo"

// partitioner sends a record to the partition it names, or, where that is -1,
// to the one that Kafka's own default partitioner would choose: by the murmur2
// hash of its key, and without a key to any, changing with each batch.
type partitioner struct{ byKey kgo.Partitioner }

func newPartitioner() kgo.Partitioner {
	return partitioner{kgo.StickyKeyPartitioner(nil)}
}

// ForTopic is part of kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	byKey := p.byKey.ForTopic(topic)
	onBatch, _ := byKey.(kgo.TopicPartitionerOnNewBatch)
	return &topicPartitioner{byKey: byKey, onBatch: onBatch}
}

type topicPartitioner struct {
	byKey   kgo.TopicPartitioner
	onBatch kgo.TopicPartitionerOnNewBatch
}

// RequiresConsistency is part of kgo.TopicPartitioner.
func (p *topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || p.byKey.RequiresConsistency(r)
}

// Partition is part of kgo.TopicPartitioner.
func (p *topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition) // the library fails one that is out of range
	}
	return p.byKey.Partition(r, n)
}

// OnNewBatch is part of kgo.TopicPartitionerOnNewBatch.
func (p *topicPartitioner) OnNewBatch() {
	if p.onBatch != nil {
		p.onBatch.OnNewBatch()
	}
}
