package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
)

// The timestamps that stand for the two ends of a log in a request.
const (
	atEnd   = -1
	atStart = -2
)

// Ends asks for the end of every partition given as of now, in one request per
// broker: the offset that the next record will get, or, where transactions
// count, the first offset that isn't decided yet.
func (a *Admin) Ends(ctx context.Context, of []record.TopicPartition) (map[record.TopicPartition]int64, error) {
	return a.list(ctx, of, atEnd)
}

// Starts asks for the first offset of every partition given that still is
// there.
func (a *Admin) Starts(ctx context.Context, of []record.TopicPartition) (map[record.TopicPartition]int64, error) {
	return a.list(ctx, of, atStart)
}

// Since asks for the first offset of every partition given whose record has a
// timestamp of at least ms; the end of the partition where there is none.
func (a *Admin) Since(ctx context.Context, of []record.TopicPartition, ms int64) (map[record.TopicPartition]int64, error) {
	at, err := a.list(ctx, of, max(ms, 0))
	if err != nil {
		return nil, err
	}
	var none []record.TopicPartition
	for tp, offset := range at {
		if offset < 0 {
			none = append(none, tp)
		}
	}
	ends, err := a.Ends(ctx, none)
	maps.Copy(at, ends)
	return at, err
}

// list asks until every partition has an answer. A partition whose leader just
// moved has none at first.
func (a *Admin) list(ctx context.Context, of []record.TopicPartition, at int64) (map[record.TopicPartition]int64, error) {
	out := make(map[record.TopicPartition]int64, len(of))
	for tries := 0; len(of) > 0; tries++ {
		if tries > 0 {
			if err := wait(ctx, a.clock, backoff(tries)); err != nil {
				return nil, fmt.Errorf("client: list offsets of %s and %d more: %w", of[0], len(of)-1, err)
			}
		}
		resp, err := a.listRequest(of, at).RequestWith(ctx, a.k)
		if err != nil {
			return nil, fmt.Errorf("client: list offsets: %w", closedError(err))
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				tp := record.TopicPartition{Topic: t.Topic, Partition: p.Partition}
				switch err := kerr.ErrorForCode(p.ErrorCode); {
				case err == nil:
					out[tp] = p.Offset
				case errors.Is(err, kerr.UnknownTopicOrPartition) && tries >= 20:
					return nil, &PartitionError{tp, "list offsets", fmt.Errorf("%w: %w", ErrUnknownTopic, err)}
				case !kerr.IsRetriable(err):
					return nil, &PartitionError{tp, "list offsets", err}
				}
			}
		}
		var rest []record.TopicPartition
		for _, tp := range of {
			if _, ok := out[tp]; !ok {
				rest = append(rest, tp)
			}
		}
		of = rest
	}
	return out, nil
}

func (a *Admin) listRequest(of []record.TopicPartition, at int64) *kmsg.ListOffsetsRequest {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if a.iso == ReadCommitted {
		req.IsolationLevel = 1
	}
	index := make(map[string]int)
	for _, tp := range of {
		i, ok := index[tp.Topic]
		if !ok {
			i = len(req.Topics)
			index[tp.Topic] = i
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = tp.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = tp.Partition, at
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req
}

// Committed is what a group committed for a partition.
type Committed struct {
	Offset      int64 // the next to read, -1 if none was committed
	LeaderEpoch int32 // of the last record read, -1 if unknown
	Metadata    string
}

// Committed asks what group has committed; partitions without a commit are
// left out.
func (a *Admin) Committed(ctx context.Context, group string) (map[record.TopicPartition]Committed, error) {
	resp, err := kadm.NewClient(a.k).FetchOffsets(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("client: offsets of group %s: %w", group, closedError(err))
	}
	if err := resp.Error(); err != nil {
		return nil, fmt.Errorf("client: offsets of group %s: %w", group, err)
	}
	out := make(map[record.TopicPartition]Committed)
	resp.Each(func(o kadm.OffsetResponse) {
		if o.At >= 0 {
			out[record.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = Committed{o.At, o.LeaderEpoch, o.Metadata}
		}
	})
	return out, nil
}

// wait returns after d, or with the context's error when it is done.
func wait(ctx context.Context, c clock.Clock, d time.Duration) error {
	t := c.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backoff is how long to wait before the nth repetition: 20 ms doubled up to a
// little over a second.
func backoff(n int) time.Duration {
	return 20 * time.Millisecond << min(n-1, 6)
}
