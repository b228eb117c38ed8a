package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/wire"
)

// WriteTxnMarkers, v1-2: end what producers have written to partitions in
// transactions. Kafka's brokers send it to each other; here it is for the
// operator who has to end a transaction by hand.
//
// v1: flexible
// v2: the protocol of the transaction
func (s *Server) writeTxnMarkers(req *wire.Request, r *kmsg.WriteTxnMarkersRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	allowed := s.sees(req, toAlter, theCluster, "kafka-cluster") || s.mayCluster(req, toAct)
	var waits []func(context.Context)
	for _, rm := range r.Markers {
		e := partition.TxnEnd{
			ProducerID: rm.ProducerID, Epoch: rm.ProducerEpoch, CoordinatorEpoch: rm.CoordinatorEpoch,
			Outcome: batch.Abort, Version: partition.TxnV1,
		}
		if rm.Committed {
			e.Outcome = batch.Commit
		}
		if rm.TransactionVersion >= int8(partition.TxnV2) {
			e.Version = partition.TxnV2
		}
		out := kmsg.NewWriteTxnMarkersResponseMarker()
		out.ProducerID = rm.ProducerID
		for _, rt := range rm.Topics {
			topic := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			topic.Topic = rt.Topic
			topic.Partitions = make([]kmsg.WriteTxnMarkersResponseMarkerTopicPartition, len(rt.Partitions))
			for i, p := range rt.Partitions {
				to := &topic.Partitions[i]
				to.Default()
				to.Partition, to.ErrorCode = p, clusterDenied
				if allowed {
					waits = append(waits, s.mark(rt.Topic, p, e, &to.ErrorCode))
				}
			}
			out.Topics = append(out.Topics, topic)
		}
		resp.Markers = append(resp.Markers, out)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		for _, wait := range waits {
			wait(ctx)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return resp, nil
	})
}

// mark writes a marker. The function that it returns waits until it is durable,
// and sets the code.
func (s *Server) mark(topic string, p int32, e partition.TxnEnd, code *int16) func(context.Context) {
	log := s.Catalog.Image().Topic(topic).Log(p)
	switch {
	case log == nil, e.ProducerID < 0, e.Epoch < 0:
		*code = kerr.UnknownTopicOrPartition.Code
		if log != nil {
			*code = kerr.InvalidRequest.Code
		}
		return func(context.Context) {}
	case topic == catalog.ConsumerOffsets:
		f := s.Groups.EndTxn(p, e)
		return func(ctx context.Context) {
			if f == nil {
				*code = kerr.NotLeaderForPartition.Code
				return
			}
			err, failed := f.Await(ctx)
			if err == nil {
				err = failed
			}
			*code = s.logCode(err, topic, p)
		}
	}
	at, err := log.EndTxn(e)
	return func(ctx context.Context) {
		if err == nil {
			err = log.WaitDurable(ctx, at.LastOffset+1)
		}
		*code = s.logCode(err, topic, p)
	}
}
