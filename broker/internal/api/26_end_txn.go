package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// EndTxn, v0-5: commit or abort a transaction. The answer comes when the
// markers are written, so that who is told of a commit finds its records.
//
// v2: PRODUCER_FENCED
// v3: flexible
// v4: TRANSACTION_ABORTABLE
// v5: the second protocol, with the producer's next epoch in the answer
func (s *Server) endTxn(req *wire.Request, r *kmsg.EndTxnRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.EndTxnResponse)
	if !s.mayTransact(req, toWrite, r.TransactionalID) {
		resp.ErrorCode = transactionDenied
		return ready(resp)
	}
	v, o := partition.TxnV1, batch.Abort
	if r.Version >= 5 {
		v = partition.TxnV2
	}
	if r.Commit {
		o = batch.Commit
	}
	return s.txnAnswer(func() (*coord.TxnAnswer, error) {
		return s.Txns.End(r.TransactionalID, txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}, o, v)
	}, func(step txn.Step) kmsg.Response {
		resp.ErrorCode = fencedFor(step.Code, r.Version, 2)
		resp.ProducerID, resp.ProducerEpoch = step.ProducerID, step.Epoch
		return resp
	})
}
