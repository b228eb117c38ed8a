// Package record is the record as bytes, and where it came from.
//
// It is what the client fetches, what a task queues and what a changelog
// holds; typed records are made from it by the source nodes. It knows nothing
// of serdes, topologies or the Kafka protocol.
package record

import "fmt"

// Header is a named piece of bytes that travels with a record.
type Header struct {
	Key   string
	Value []byte // nil is Kafka's null
}

// TopicPartition names one partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func (tp TopicPartition) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// Record is a record as it was fetched. Key, Value and Headers are shared with
// the fetch they came in and must not be modified; nil is Kafka's null.
type Record struct {
	Key     []byte
	Value   []byte
	Headers []Header
	Time    int64 // milliseconds since the epoch
	Offset  int64
	// LeaderEpoch is the epoch of the partition's leader, -1 if unknown; it is
	// committed with the offset so that a truncated log is noticed.
	LeaderEpoch int32
}

// Meta is where the record in process came from, and its headers. A task
// owns one Meta and overwrites it for each record: keep none of it.
type Meta struct {
	Topic     string
	Partition int32
	Offset    int64
	Headers   []Header
}
