package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// awaitStep waits for what a coordinator makes of a request. Its own trouble is
// the code of the step; the error is ctx's.
func (s *Server) awaitStep(ctx context.Context, f *coord.TxnAnswer, err error) (txn.Step, error) {
	var step txn.Step
	if err == nil {
		step, err = f.Await(ctx)
	}
	if ctx.Err() != nil {
		return step, context.Cause(ctx)
	}
	if err != nil {
		return txn.Step{Code: s.coordCode(err), ProducerID: -1, Epoch: -1}, nil
	}
	return step, nil
}

// txnAnswer passes a request on to the coordinator of a transactional id, and
// makes the response of the answer.
func (s *Server) txnAnswer(ask func() (*coord.TxnAnswer, error), respond func(txn.Step) kmsg.Response) wire.Reply {
	f, err := ask()
	return await(func(ctx context.Context) (wire.Response, error) {
		step, err := s.awaitStep(ctx, f, err)
		if err != nil {
			return nil, err
		}
		return respond(step), nil
	})
}

// fencedFor is a code as a client understands it who knows PRODUCER_FENCED
// only from some version of the API on.
func fencedFor(code, version, since int16) int16 {
	if code == kerr.ProducerFenced.Code && version < since {
		return kerr.InvalidProducerEpoch.Code
	}
	return code
}

// join makes partitions part of a producer's transaction before something is
// written to them; clients of the first protocol must have asked for that, so
// that it is only looked up. The codes are those of the partitions. The error is
// ctx's.
func (s *Server) join(ctx context.Context, id string, p txn.Producer, ps []txn.Partition, v partition.TxnVersion) ([]int16, error) {
	if v == partition.TxnV2 {
		f, err := s.Txns.Add(id, p, ps, v)
		step, err := s.awaitStep(ctx, f, err)
		codes := make([]int16, len(ps))
		for i := range codes {
			codes[i] = step.Code
		}
		return codes, err
	}
	f, err := s.Txns.Verify(id, p, ps)
	var codes []int16
	if err == nil {
		codes, err = f.Await(ctx)
	}
	if err != nil {
		codes = make([]int16, len(ps))
		for i := range codes {
			codes[i] = s.coordCode(err)
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return codes, nil
}

// joinCode is the code of join as the one who writes is told it. abortable says
// that the client knows TRANSACTION_ABORTABLE.
func joinCode(code int16, abortable bool) int16 {
	switch {
	case code == kerr.ProducerFenced.Code:
		return kerr.InvalidProducerEpoch.Code
	case code == kerr.TransactionAbortable.Code && !abortable:
		return kerr.InvalidTxnState.Code
	}
	return code
}
