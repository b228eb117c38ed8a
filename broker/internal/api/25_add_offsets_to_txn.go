package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// AddOffsetsToTxn, v0-4: make a group part of a transaction, before a client of
// the first protocol commits offsets in it.
//
// v2: PRODUCER_FENCED
// v3: flexible
// v4: TRANSACTION_ABORTABLE
func (s *Server) addOffsetsToTxn(req *wire.Request, r *kmsg.AddOffsetsToTxnRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	switch {
	case !s.mayTransact(req, toWrite, r.TransactionalID):
		resp.ErrorCode = transactionDenied
		return ready(resp)
	case !s.mayGroup(req, toRead, r.Group):
		resp.ErrorCode = groupDenied
		return ready(resp)
	}
	return s.txnAnswer(func() (*coord.TxnAnswer, error) {
		where, err := s.Groups.PartitionOf(r.Group)
		if err != nil {
			return nil, err
		}
		by := txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}
		return s.Txns.Add(r.TransactionalID, by, []txn.Partition{where}, partition.TxnV1)
	}, func(step txn.Step) kmsg.Response {
		resp.ErrorCode = fencedFor(step.Code, r.Version, 2)
		return resp
	})
}
