package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/record"
)

// Reader reads partitions that it is told to, outside of any group. Add,
// Remove, Pause, Resume and Recycle may be called by any goroutine, Poll by one
// at a time.
type Reader struct {
	k    *kgo.Client
	pool pool
}

// NewReader makes a reader of no partitions.
func NewReader(cfg Config) (*Reader, error) {
	r := &Reader{}
	var err error
	r.k, err = cfg.open(
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords(),
		kgo.WithPools(&r.pool),
		kgo.FetchMaxPartitionBytes(or(cfg.FetchBytes, 4<<20)),
	)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Add begins to read a partition at an offset; where that doesn't exist any
// more, or not yet, at the first one that does. A partition that is being read
// already is left as it is.
func (r *Reader) Add(tp record.TopicPartition, from int64) {
	r.k.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		tp.Topic: {tp.Partition: kgo.NewOffset().At(from)},
	})
}

// Remove ends the reading of partitions. What was fetched of them is dropped,
// but a Poll that is under way may still return it.
func (r *Reader) Remove(tps ...record.TopicPartition) {
	if len(tps) > 0 {
		r.k.RemoveConsumePartitions(nest(tps))
	}
}

// Poll waits for records, at most limit of them (0: no limit), and appends what
// it got to batches. Errors are those of Group.Poll.
func (r *Reader) Poll(ctx context.Context, limit int, batches []Batch) ([]Batch, error) {
	return poll(ctx, r.k, &r.pool, limit, batches)
}

// Recycle takes back the slice of a batch. Nobody may use it any more.
func (r *Reader) Recycle(recs []record.Record) { r.pool.put(recs) }

// Close ends all reading.
func (r *Reader) Close() { r.k.Close() }

// poll is what the two consumers have in common.
func poll(ctx context.Context, k *kgo.Client, pool *pool, limit int, batches []Batch) ([]Batch, error) {
	fetches := k.PollRecords(ctx, limit)
	var failure error
	for i := range fetches {
		for j := range fetches[i].Topics {
			t := &fetches[i].Topics[j]
			for n := range t.Partitions {
				p := &t.Partitions[n]
				batches = pool.convert(batches, t.Topic, p)
				if p.Err != nil && failure == nil {
					failure = fetchError(t.Topic, p)
				}
			}
		}
	}
	return batches, failure
}

// fetchError types the failure to read a partition. The loss of records that
// had been acknowledged (by an unclean election of a leader) is none: the
// library goes on where the log ends now, and has logged it.
func fetchError(topic string, p *kgo.FetchPartition) error {
	var loss *kgo.ErrDataLoss
	var session *kgo.ErrGroupSession
	switch {
	case errors.As(p.Err, &loss):
		return nil
	case errors.As(p.Err, &session):
		return fmt.Errorf("client: %w: %w", ErrJoin, session.Err)
	case topic == "": // made up by the library: of its context, or closed
		return closedError(p.Err)
	case errors.Is(p.Err, kgo.ErrClientClosed), errors.Is(p.Err, context.Canceled), errors.Is(p.Err, context.DeadlineExceeded):
		return closedError(p.Err)
	}
	return &PartitionError{record.TopicPartition{Topic: topic, Partition: p.Partition}, "fetch", p.Err}
}
