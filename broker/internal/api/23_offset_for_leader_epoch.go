package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// OffsetForLeaderEpoch, v2-4: where the records of a leader epoch end, so that
// a client notices when records it has seen were lost.
//
// v3: replica id
// v4: flexible
func (s *Server) offsetForLeaderEpoch(req *wire.Request, r *kmsg.OffsetForLeaderEpochRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	img := s.Catalog.Image()
	for _, rt := range r.Topics {
		t := img.Topic(rt.Topic)
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			p.Partition, p.LeaderEpoch, p.EndOffset = rp.Partition, -1, -1
			if !s.mayTopic(req, toDescribe, rt.Topic) {
				p.ErrorCode = topicDenied
			} else if log := t.Log(rp.Partition); log == nil {
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			} else if p.ErrorCode = checkLeaderEpoch(log, rp.CurrentLeaderEpoch); p.ErrorCode == 0 {
				p.LeaderEpoch, p.EndOffset = log.EpochEnd(rp.LeaderEpoch)
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
