package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// idRetryDelay is how long an answer waits that there are no ids, because the
// disk fails: there are clients that ask again at once, and for ever.
const idRetryDelay = 100 * time.Millisecond

// InitProducerID, v0-5: give an idempotent producer its id, or a transactional
// producer its id and epoch.
//
// v2: flexible
// v3: a producer that has an id goes on with it after an error
// v4: PRODUCER_FENCED
// v5: TRANSACTION_ABORTABLE
func (s *Server) initProducerID(req *wire.Request, r *kmsg.InitProducerIDRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	var was *txn.Producer
	if r.Version >= 3 && (r.ProducerID != -1 || r.ProducerEpoch != -1) {
		was = &txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}
	}
	switch {
	case r.TransactionalID == nil && !s.mayProduce(req):
		resp.ErrorCode = clusterDenied
	case r.TransactionalID != nil && !s.mayTransact(req, toWrite, *r.TransactionalID):
		resp.ErrorCode = transactionDenied
	case was != nil && (was.ID == -1 || was.Epoch == -1):
		resp.ErrorCode = kerr.InvalidRequest.Code
	case r.TransactionalID == nil:
		// Whatever it had before: without transactions a new id does no harm.
		id, err := s.Catalog.ProducerID()
		if err != nil {
			resp.ErrorCode, _ = s.explain(err)
			return s.delayed(idRetryDelay, resp)
		}
		resp.ProducerID, resp.ProducerEpoch = id, 0
	default:
		return s.txnAnswer(func() (*coord.TxnAnswer, error) {
			return s.Txns.Init(*r.TransactionalID, r.TransactionTimeoutMillis, was)
		}, func(step txn.Step) kmsg.Response {
			resp.ErrorCode = fencedFor(step.Code, r.Version, 4)
			resp.ProducerID, resp.ProducerEpoch = step.ProducerID, step.Epoch
			return resp
		})
	}
	return ready(resp)
}
