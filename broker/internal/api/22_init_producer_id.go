package api

import (
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InitProducerID, v0-5: give an idempotent producer its id.
//
// A transactional id is refused: transactions are not served.
//
// v2: flexible
// v3: a producer that has an id asks for the next epoch
// v4, v5: errors and epochs of transactions
func (s *Server) initProducerID(r *kmsg.InitProducerIDRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	switch {
	case r.TransactionalID != nil:
		// Of the errors that clients treat as final this one says best that it
		// isn't a matter of trying again.
		resp.ErrorCode = kerr.UnsupportedVersion.Code
		s.Log.Warn("a transactional producer was refused: transactions are not served", "transactional.id", *r.TransactionalID)
		return resp
	case r.Version >= 3 && r.ProducerID >= 0 && r.ProducerEpoch >= 0 && r.ProducerEpoch < math.MaxInt16-1:
		resp.ProducerID, resp.ProducerEpoch = r.ProducerID, r.ProducerEpoch+1
		return resp
	}
	id, err := s.Catalog.ProducerID()
	if err != nil {
		resp.ErrorCode, _ = s.explain(err)
		return resp
	}
	resp.ProducerID, resp.ProducerEpoch = id, 0
	return resp
}
