package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeProducers, v0: the idempotent producers that partitions remember.
func (s *Server) describeProducers(req *wire.Request, r *kmsg.DescribeProducersRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeProducersResponse)
	img := s.Catalog.Image()
	for _, rt := range r.Topics {
		t := img.Topic(rt.Topic)
		out := kmsg.NewDescribeProducersResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewDescribeProducersResponseTopicPartition()
			p.Partition = rp
			log := t.Log(rp)
			denied := !s.mayTopic(req, toRead, rt.Topic)
			if denied {
				p.ErrorCode = topicDenied
			} else if log == nil {
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			}
			if p.ErrorCode != 0 {
				out.Partitions = append(out.Partitions, p)
				continue
			}
			for _, known := range log.Producers() {
				a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
				a.ProducerID, a.ProducerEpoch = known.ID, int32(known.Epoch)
				a.LastSequence, a.LastTimestamp = known.LastSequence, known.LastTimestamp
				a.CoordinatorEpoch, a.CurrentTxnStartOffset = known.CoordinatorEpoch, known.TxnStart
				p.ActiveProducers = append(p.ActiveProducers, a)
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
