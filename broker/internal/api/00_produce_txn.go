package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// The first versions of Produce whose clients know TRANSACTION_ABORTABLE, and
// expect that writing adds a partition to their transaction.
const (
	abortableProduce = 11
	addingProduce    = 12
)

// joiner is a partition of a request that begins a transaction there.
type joiner struct {
	at    *producedPartition
	where txn.Partition
}

// admit makes sure, before anything is appended, that the coordinator knows of
// the transaction that batches of the request belong to. What it doesn't know
// of gets an error code. The error is ctx's.
func (s *Server) admit(ctx context.Context, p *produced, r *wire.Request) error {
	var who txn.Producer
	var joiners []joiner
	first := true
	for i := range p.topics {
		for j := range p.topics[i].partitions {
			tp := &p.topics[i].partitions[j]
			if !batch.PeekTransactional(tp.records) {
				continue
			}
			h, err := batch.Parse(tp.records)
			if err != nil || !h.Idempotent() {
				continue // it will be refused
			}
			by := txn.Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch}
			switch {
			case p.txnID == nil, first && !s.mayTransact(r, toWrite, *p.txnID):
				p.failAll(kerr.TransactionalIDAuthorizationFailed.Code)
				return nil
			case !first && by != who:
				p.failAll(kerr.InvalidProducerIDMapping.Code)
				return nil
			}
			first, who = false, by
			if tp.code == 0 && s.begins(tp, p, &h) {
				joiners = append(joiners, joiner{tp, txn.Partition{Topic: p.topics[i].found, Partition: tp.index}})
			}
		}
	}
	if len(joiners) == 0 {
		return nil
	}
	return s.joinAll(ctx, p, who, joiners)
}

// begins says whether the batch would be the first of its transaction in the
// partition. It gives the partition a code if the log refuses already.
func (s *Server) begins(tp *producedPartition, p *produced, h *batch.Header) bool {
	guard, needed, err := tp.target.BeginTxn(h.ProducerID, h.ProducerEpoch, h.BaseSequence, p.protocol())
	if err != nil {
		tp.code = s.logCode(err, *p.txnID, tp.index)
		return false
	}
	tp.guard = guard
	return needed
}

// protocol is the protocol of transactions that the client speaks.
func (p *produced) protocol() partition.TxnVersion {
	if p.version >= addingProduce {
		return partition.TxnV2
	}
	return partition.TxnV1
}

// A client's next transaction may come before its last has got all markers. It
// would send the whole request again; so it waits here for a moment.
const (
	joinTries = 5
	joinPause = 20 * time.Millisecond
)

func (s *Server) joinAll(ctx context.Context, p *produced, who txn.Producer, joiners []joiner) error {
	where := make([]txn.Partition, len(joiners))
	for i, j := range joiners {
		where[i] = j.where
	}
	var codes []int16
	for try := 1; ; try++ {
		var err error
		if codes, err = s.join(ctx, *p.txnID, who, where, p.protocol()); err != nil {
			return err
		}
		if p.protocol() == partition.TxnV1 || codes[0] != kerr.ConcurrentTransactions.Code || try > joinTries {
			break
		}
		if err := s.pause(ctx, joinPause); err != nil {
			return err
		}
	}
	for i, j := range joiners {
		j.at.refuse(joinCode(codes[i], p.version >= abortableProduce), p.protocol())
	}
	return nil
}

// pause waits. The error is ctx's.
func (s *Server) pause(ctx context.Context, d time.Duration) error {
	t := s.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refuse gives the partition the code of a coordinator, in a way that clients
// know how to go on from.
func (tp *producedPartition) refuse(code int16, v partition.TxnVersion) {
	switch {
	case code == 0:
	case code == kerr.InvalidTxnState.Code:
		tp.code, tp.err = code, batch.Errorf(kerr.InvalidTxnState, "Partition was not added to the transaction")
	case code == kerr.CoordinatorNotAvailable.Code, code == kerr.ConcurrentTransactions.Code && v == partition.TxnV1:
		// Clients try again after this one without looking for another leader.
		tp.code = kerr.NotEnoughReplicas.Code
		tp.err = batch.Errorf(kerr.NotEnoughReplicas, "Unable to verify the partition has been added to the transaction. Underlying error: %v", kerr.ErrorForCode(code))
	default:
		tp.code = code
	}
}

// failAll gives all partitions a code.
func (p *produced) failAll(code int16) {
	for i := range p.topics {
		for j := range p.topics[i].partitions {
			p.topics[i].partitions[j].code = code
		}
	}
}
