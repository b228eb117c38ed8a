package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/record"
)

// NextRecord finds the offset of the first record of a partition at or after
// from that a reader would be given, or, where there is none, the offset up to
// which there is none.
//
// A position below the end of a partition usually means that records are still
// to come. But the end may be made up of offsets without a record: compaction
// and retention remove some. A reader skips them without a word, so that its
// position seems to stay behind for ever. This asks the broker itself, and is
// meant for when that is suspected: it costs a metadata request and a fetch.
func (a *Admin) NextRecord(ctx context.Context, tp record.TopicPartition, from int64) (int64, error) {
	leader, id, err := a.leader(ctx, tp)
	if err != nil {
		return from, err
	}
	for {
		p, err := a.fetch(ctx, leader, id, tp, from)
		if err != nil {
			return from, err
		}
		switch err := kerr.ErrorForCode(p.ErrorCode); {
		case errors.Is(err, kerr.OffsetOutOfRange):
			starts, err := a.Starts(ctx, []record.TopicPartition{tp})
			if err != nil || starts[tp] <= from {
				return from, err
			}
			from = starts[tp]
			continue
		case err != nil:
			return from, &PartitionError{tp, "fetch", err}
		}
		got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset:         from,
			IsolationLevel: a.iso.kgo(),
			Topic:          tp.Topic,
			Partition:      tp.Partition,
		}, p, kgo.DefaultDecompressor(), nil)
		if len(got.Records) > 0 {
			return got.Records[0].Offset, nil
		}
		if next <= from {
			return from, nil
		}
		from = next
	}
}

// leader asks who leads a partition, and for the ID of its topic.
func (a *Admin) leader(ctx context.Context, tp record.TopicPartition) (int32, [16]byte, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(tp.Topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, a.k)
	if err != nil {
		return 0, [16]byte{}, fmt.Errorf("client: metadata of topic %s: %w", tp.Topic, closedError(err))
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.Partition != tp.Partition {
				continue
			}
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return 0, t.TopicID, &PartitionError{tp, "find the leader", err}
			}
			return p.Leader, t.TopicID, nil
		}
	}
	return 0, [16]byte{}, &PartitionError{tp, "find the leader", ErrUnknownTopic}
}

// fetch asks a broker for one batch, without waiting for it.
func (a *Admin) fetch(ctx context.Context, leader int32, id [16]byte, tp record.TopicPartition, from int64) (*kmsg.FetchResponseTopicPartition, error) {
	req := kmsg.NewPtrFetchRequest()
	req.ReplicaID = -1
	req.MaxBytes = 1 << 20 // a batch that is larger comes all the same
	req.SessionEpoch = -1  // no fetch session
	if a.iso == ReadCommitted {
		req.IsolationLevel = 1
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = tp.Partition, from, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = tp.Topic, id
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := a.k.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("client: fetch of %s at %d: %w", tp, from, closedError(err))
	}
	fr, ok := resp.(*kmsg.FetchResponse)
	if !ok || kerr.ErrorForCode(fr.ErrorCode) != nil || len(fr.Topics) != 1 || len(fr.Topics[0].Partitions) != 1 {
		return nil, &PartitionError{tp, "fetch", fmt.Errorf("unexpected answer %T at offset %d", resp, from)}
	}
	return &fr.Topics[0].Partitions[0], nil
}
