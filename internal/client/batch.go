package client

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/record"
)

// Batch is what one poll brought of one partition.
type Batch struct {
	record.TopicPartition
	// Records are in order of offsets. The slice belongs to the receiver, who
	// may hand it back with Recycle; the bytes in it are shared with the
	// fetch and stay valid as long as anyone refers to them. It is empty
	// where only markers of transactions were passed.
	Records []record.Record
	// Next is the position after the batch: the next offset to be fetched.
	Next int64
	// Bytes is the length of all keys and values.
	Bytes int
	// HighWatermark is the end of what is replicated, as the broker said when
	// it sent the batch; it may have grown since.
	HighWatermark int64
}

// pool keeps record slices for reuse. It is safe for concurrent use.
//
// A sync.Pool of slices allocates a header for every Put; a short list under a
// mutex that is taken once per batch doesn't.
type pool struct {
	mu   sync.Mutex
	free [][]record.Record
}

// The list stays small: what comes back while it is full, or is far larger
// than an ordinary batch, is left to the collector.
const (
	maxFree     = 64
	maxReusable = 1 << 16
)

// take returns an empty slice with room for n records.
func (s *pool) take(n int) []record.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.free) - 1; i >= 0; i-- {
		if f := s.free[i]; cap(f) >= n {
			last := len(s.free) - 1
			s.free[i], s.free[last] = s.free[last], nil
			s.free = s.free[:last]
			return f[:0]
		}
	}
	return make([]record.Record, 0, n)
}

// put takes back a slice whose records nobody refers to any more.
func (s *pool) put(r []record.Record) {
	if cap(r) == 0 || cap(r) > maxReusable {
		return
	}
	clear(r[:cap(r)]) // or it would keep whole fetches alive
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < maxFree {
		s.free = append(s.free, r[:0])
	}
}

// convert appends what p holds to batches. Markers of transactions are no
// records, but are asked for, as only they tell that the position has moved.
func (s *pool) convert(batches []Batch, topic string, p *kgo.FetchPartition) []Batch {
	if len(p.Records) == 0 {
		return batches
	}
	out := s.take(len(p.Records))
	bytes := 0
	for _, r := range p.Records {
		if r.Attrs.IsControl() {
			continue
		}
		bytes += len(r.Key) + len(r.Value)
		out = append(out, record.Record{
			Key:         r.Key,
			Value:       r.Value,
			Headers:     headers(r.Headers),
			Time:        r.Timestamp.UnixMilli(),
			Offset:      r.Offset,
			LeaderEpoch: r.LeaderEpoch,
		})
	}
	return append(batches, Batch{
		TopicPartition: record.TopicPartition{Topic: topic, Partition: p.Partition},
		Records:        out,
		Next:           p.Records[len(p.Records)-1].Offset + 1,
		Bytes:          bytes,
		HighWatermark:  p.HighWatermark,
	})
}

// headers converts the few headers that a record has; most have none.
func headers(in []kgo.RecordHeader) []record.Header {
	if len(in) == 0 {
		return nil
	}
	out := make([]record.Header, len(in))
	for i, h := range in {
		out[i] = record.Header{Key: h.Key, Value: h.Value}
	}
	return out
}
