package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeTransactions, v0: the state of transactional ids, and the partitions
// of their transactions.
func (s *Server) describeTransactions(req *wire.Request, r *kmsg.DescribeTransactionsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		for _, id := range r.TransactionalIDs {
			out := kmsg.NewDescribeTransactionsResponseTransactionState()
			out.TransactionalID = id
			switch {
			case !s.mayTransact(req, toDescribe, id):
				out.ErrorCode = transactionDenied
			case id == "":
				out.ErrorCode = kerr.InvalidRequest.Code
			default:
				if err := s.describeTransaction(ctx, req, &out); err != nil {
					return nil, err
				}
			}
			resp.TransactionStates = append(resp.TransactionStates, out)
		}
		return resp, nil
	})
}

// describeTransaction fills in one. The error is ctx's.
func (s *Server) describeTransaction(ctx context.Context, req *wire.Request, out *kmsg.DescribeTransactionsResponseTransactionState) error {
	var t *txn.Txn
	f, err := s.Txns.Find(out.TransactionalID)
	if err == nil {
		t, err = f.Await(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		out.ErrorCode = s.coordCode(err)
		return nil
	case t == nil:
		out.ErrorCode = kerr.TransactionalIDNotFound.Code
		return nil
	}
	out.State, out.TimeoutMillis, out.StartTimestamp = t.State.String(), t.TimeoutMS, t.StartedAt
	out.ProducerID, out.ProducerEpoch = t.ProducerID, t.Epoch
	for _, p := range t.Partitions {
		if !s.sees(req, toDescribe, aTopic, p.Topic) {
			continue
		}
		if n := len(out.Topics); n == 0 || out.Topics[n-1].Topic != p.Topic {
			topic := kmsg.NewDescribeTransactionsResponseTransactionStateTopic()
			topic.Topic = p.Topic
			out.Topics = append(out.Topics, topic)
		}
		topic := &out.Topics[len(out.Topics)-1]
		topic.Partitions = append(topic.Partitions, p.Partition)
	}
	return nil
}
