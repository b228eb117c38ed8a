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

// freelist keeps slices for reuse. It is safe for concurrent use.
//
// A sync.Pool of slices allocates a header for every Put; a short list under a
// mutex that is taken once per batch doesn't.
type freelist[T any] struct {
	mu   sync.Mutex
	free [][]T
	room int // of all slices together
}

// The list stays small: what comes back while it is full is left to the collector.
const (
	maxFree = 64
	maxRoom = 1 << 17 // records; some 12 MiB of them
)

// take returns an empty slice with room for n.
func (f *freelist[T]) take(n int) []T {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.free) - 1; i >= 0; i-- {
		if s := f.free[i]; cap(s) >= n {
			last := len(f.free) - 1
			f.free[i], f.free[last] = f.free[last], nil
			f.free = f.free[:last]
			f.room -= cap(s)
			return s[:0]
		}
	}
	return make([]T, 0, n)
}

// put takes back a slice to which nobody refers any more, nor to what it holds.
// It must have been cleared, or it would keep whole fetches alive.
func (f *freelist[T]) put(s []T) {
	if cap(s) == 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.free) < maxFree && f.room+cap(s) <= maxRoom {
		f.free = append(f.free, s[:0])
		f.room += cap(s)
	}
}

// pool are the slices of a consumer: those it gives to others, and those into
// which the library decodes, which are free again when they are converted.
type pool struct {
	records freelist[record.Record]
	decoded freelist[kgo.Record]
}

func (p *pool) put(recs []record.Record) {
	clear(recs[:cap(recs)])
	p.records.put(recs)
}

// GetRecords is part of kgo.PoolRecords.
func (p *pool) GetRecords(n int) []kgo.Record { return p.decoded.take(n) }

// PutRecords is part of kgo.PoolRecords. What comes back is cleared.
func (p *pool) PutRecords(recs []kgo.Record) { p.decoded.put(recs) }

// convert appends what p holds to batches. Markers of transactions are no
// records, but are asked for, as only they tell that the position has moved.
func (p *pool) convert(batches []Batch, topic string, in *kgo.FetchPartition) []Batch {
	if len(in.Records) == 0 {
		return batches
	}
	b := Batch{
		TopicPartition: record.TopicPartition{Topic: topic, Partition: in.Partition},
		Records:        p.records.take(len(in.Records)),
		Next:           in.Records[len(in.Records)-1].Offset + 1,
		HighWatermark:  in.HighWatermark,
	}
	for _, r := range in.Records {
		if !r.Attrs.IsControl() {
			b.Bytes += len(r.Key) + len(r.Value)
			b.Records = append(b.Records, record.Record{
				Key:         r.Key,
				Value:       r.Value,
				Headers:     headers(r.Headers),
				Time:        r.Timestamp.UnixMilli(),
				Offset:      r.Offset,
				LeaderEpoch: r.LeaderEpoch,
			})
		}
		r.Recycle()
	}
	return append(batches, b)
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
