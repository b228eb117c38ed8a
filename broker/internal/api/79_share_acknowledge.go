package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ShareAcknowledge, v1-2: say what became of acquired records.
//
// It belongs to a share session, whose epoch it counts on, and may end it.
//
// v2: renewals; how long locks last
func (s *Server) shareAcknowledge(req *wire.Request, r *kmsg.ShareAcknowledgeRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.ShareAcknowledgeResponse)
	k, code, why := s.shareMember(req, r.GroupID, r.MemberID)
	if code == 0 {
		code = sessionCode(s.shareSessions.Touch(k, r.ShareSessionEpoch))
	}
	if code != 0 {
		resp.ErrorCode = code
		if why != "" {
			resp.ErrorMessage = &why
		}
		return ready(resp)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		config := s.Catalog.GroupConfig(k.Group)
		resp.AcquisitionLockTimeoutMillis = int32(config.ShareRecordLock.Milliseconds())
		list := acknowledgeAcks(r)
		if err := s.acknowledge(ctx, req, k, list, renewals{r.Version >= 2, r.IsRenewAck}); err != nil {
			return nil, err
		}
		if r.ShareSessionEpoch == share.FinalEpoch {
			s.endShareSession(k, s.shareSessions.Close(k))
		}
		topics := map[catalog.ID]int{} // where they are in resp
		for _, a := range list {
			i, ok := topics[a.Topic]
			if !ok {
				i = len(resp.Topics)
				topics[a.Topic] = i
				resp.Topics = append(resp.Topics, kmsg.ShareAcknowledgeResponseTopic{TopicID: a.Topic})
			}
			p := kmsg.NewShareAcknowledgeResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = a.Partition, a.code, a.why
			resp.Topics[i].Partitions = append(resp.Topics[i].Partitions, p)
		}
		return resp, nil
	})
}

// acknowledgeAcks are the acknowledgements of a ShareAcknowledge request.
func acknowledgeAcks(r *kmsg.ShareAcknowledgeRequest) (list []acks) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			list = append(list, acks{
				TopicPartition: share.TopicPartition{Topic: t.TopicID, Partition: p.Partition},
				batches: ackBatches(p.AcknowledgementBatches, func(b *kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch) (int64, int64, []int8) {
					return b.FirstOffset, b.LastOffset, b.AcknowledgeTypes
				}),
			})
		}
	}
	return list
}
