package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// DeleteRecords, v0-2: let partitions begin at a later offset; -1 is the high
// watermark.
//
// v2: flexible
func (s *Server) deleteRecords(req *wire.Request, r *kmsg.DeleteRecordsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DeleteRecordsResponse)
	img := s.Catalog.Image()
	for _, rt := range r.Topics {
		t := img.Topic(rt.Topic)
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewDeleteRecordsResponseTopicPartition()
			p.Partition, p.LowWatermark = rp.Partition, -1
			log := t.Log(rp.Partition)
			switch {
			case !s.mayTopic(req, toDelete, rt.Topic):
				p.ErrorCode = topicDenied
			case log == nil:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			case t.Internal():
				p.ErrorCode = kerr.InvalidTopicException.Code
			case !log.Config().Delete:
				p.ErrorCode = kerr.PolicyViolation.Code
			default:
				low, err := log.DeleteRecords(rp.Offset)
				if err != nil {
					low = -1
				}
				p.LowWatermark, p.ErrorCode = low, s.logCode(err, rt.Topic, rp.Partition)
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
