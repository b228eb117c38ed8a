package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// AddPartitionsToTxn, v0-5: make partitions part of a transaction, before a
// client of the first protocol writes to them. All are added or none.
//
// v2: PRODUCER_FENCED
// v3: flexible
// v4: for brokers: many transactions, and only to look whether the partitions
// belong to them
// v5: TRANSACTION_ABORTABLE
func (s *Server) addPartitionsToTxn(req *wire.Request, r *kmsg.AddPartitionsToTxnRequest) wire.Reply {
	if r.Version >= 4 {
		return s.addPartitionsForBroker(req, r)
	}
	resp := r.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	a := addition{version: r.Version, id: r.TransactionalID, by: txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}}
	for _, rt := range r.Topics {
		for _, rp := range rt.Partitions {
			a.where = append(a.where, txn.Partition{Topic: rt.Topic, Partition: rp})
		}
	}
	s.checkAddition(req, &a)
	return await(func(ctx context.Context) (wire.Response, error) {
		codes, err := a.run(ctx, s)
		if err != nil {
			return nil, err
		}
		for _, rt := range r.Topics {
			out := kmsg.NewAddPartitionsToTxnResponseTopic()
			out.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				p := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				p.Partition, p.ErrorCode = rp, codes[0]
				codes = codes[1:]
				out.Partitions = append(out.Partitions, p)
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil
	})
}

func (s *Server) addPartitionsForBroker(req *wire.Request, r *kmsg.AddPartitionsToTxnRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	if !s.mayCluster(req, toAct) {
		resp.ErrorCode = clusterDenied
		return ready(resp)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		for _, rx := range r.Transactions {
			a := addition{version: r.Version, id: rx.TransactionalID, by: txn.Producer{ID: rx.ProducerID, Epoch: rx.ProducerEpoch}, look: rx.VerifyOnly}
			for _, rt := range rx.Topics {
				for _, rp := range rt.Partitions {
					a.where = append(a.where, txn.Partition{Topic: rt.Topic, Partition: rp})
				}
			}
			s.checkAddition(req, &a)
			codes, err := a.run(ctx, s)
			if err != nil {
				return nil, err
			}
			out := kmsg.NewAddPartitionsToTxnResponseTransaction()
			out.TransactionalID = rx.TransactionalID
			for _, rt := range rx.Topics {
				topic := kmsg.NewAddPartitionsToTxnResponseTransactionTopic()
				topic.Topic = rt.Topic
				for _, rp := range rt.Partitions {
					p := kmsg.NewAddPartitionsToTxnResponseTransactionTopicPartition()
					p.Partition, p.ErrorCode = rp, codes[0]
					codes = codes[1:]
					topic.Partitions = append(topic.Partitions, p)
				}
				out.Topics = append(out.Topics, topic)
			}
			resp.Transactions = append(resp.Transactions, out)
		}
		return resp, nil
	})
}

// addition is partitions to be added to a transaction.
type addition struct {
	version int16
	id      string
	by      txn.Producer
	where   []txn.Partition
	look    bool    // whether they belong to it, and no more
	codes   []int16 // of the partitions, if they are refused
}

// checkAddition refuses all of it if there is something wrong with a part.
func (s *Server) checkAddition(req *wire.Request, a *addition) {
	img := s.Catalog.Image()
	codes := make([]int16, len(a.where))
	bad := false
	client := a.version < 4
	denied := client && !s.mayTransact(req, toWrite, a.id)
	for i, p := range a.where {
		switch {
		case denied:
			codes[i] = transactionDenied
		case client && (catalog.Internal(p.Topic) || !s.mayTopic(req, toWrite, p.Topic)):
			codes[i] = topicDenied
		case img.Topic(p.Topic).Log(p.Partition) == nil:
			codes[i] = kerr.UnknownTopicOrPartition.Code
		default:
			continue
		}
		bad = true
	}
	if !bad {
		return
	}
	for i := range codes {
		if codes[i] == 0 {
			codes[i] = kerr.OperationNotAttempted.Code
		}
	}
	a.codes = codes
}

// run returns the codes of the partitions. The error is ctx's.
func (a *addition) run(ctx context.Context, s *Server) ([]int16, error) {
	v := partition.TxnV1
	if a.version >= 4 {
		v = partition.TxnV2
	}
	switch {
	case a.codes != nil || len(a.where) == 0:
		return a.codes, nil
	case a.look:
		return s.join(ctx, a.id, a.by, a.where, partition.TxnV1)
	}
	f, err := s.Txns.Add(a.id, a.by, a.where, v)
	step, err := s.awaitStep(ctx, f, err)
	codes := make([]int16, len(a.where))
	for i := range codes {
		codes[i] = fencedFor(step.Code, a.version, 2)
	}
	return codes, err
}
