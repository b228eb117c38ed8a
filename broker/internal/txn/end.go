package txn

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// End ends the producer's transaction. With the second protocol the answer is
// the producer to go on as.
func (m *Machine) End(now time.Time, id string, p Producer, o batch.Outcome, v partition.TxnVersion) Step {
	if id == "" {
		return refuse(kerr.InvalidRequest)
	}
	t := m.txns[id]
	switch {
	case t == nil:
		return refuse(kerr.InvalidProducerIDMapping)
	case v == partition.TxnV2:
		return m.endV2(now.UnixMilli(), t, p, o)
	default:
		return m.endV1(now.UnixMilli(), t, p, o)
	}
}

// endV1 knows a request that comes again by its outcome: the epoch stays.
func (m *Machine) endV1(now int64, t *Txn, p Producer, o batch.Outcome) Step {
	switch {
	case t.ProducerID != p.ID:
		return refuse(kerr.InvalidProducerIDMapping)
	case t.Epoch != p.Epoch:
		return refuse(kerr.ProducerFenced)
	case t.State == Ongoing:
		return Step{ProducerID: none, Epoch: noEpoch, Next: t.decide(now, prepare(o), partition.TxnV1, none)}
	case t.State == Empty || t.Outcome() != o:
		return refuse(kerr.InvalidTxnState)
	case t.State.prepared():
		return refuse(kerr.ConcurrentTransactions)
	}
	return Step{ProducerID: none, Epoch: noEpoch}
}

func prepare(o batch.Outcome) State {
	if o == batch.Commit {
		return PrepareCommit
	}
	return PrepareAbort
}

// endV2 knows a request that comes again by its epoch, the one before the
// current. An abort with the current epoch is always in order, whether or not
// anything was written: it gives the producer its next epoch.
func (m *Machine) endV2(now int64, t *Txn, p Producer, o batch.Outcome) Step {
	// The last epoch of a producer id is followed by the first of another.
	wrapped := t.PrevProducerID == p.ID && p.Epoch == maxEpoch-1 && t.Epoch == 0
	again := wrapped || int32(t.Epoch) == int32(p.Epoch)+1
	valid := t.Epoch == p.Epoch
	switch {
	case t.State.prepared():
		valid = again && !wrapped
	case t.State == CompleteCommit || t.State == CompleteAbort:
		valid = valid || again
	}
	switch {
	case t.ProducerID != p.ID && !wrapped:
		return refuse(kerr.InvalidProducerIDMapping)
	case !valid:
		return refuse(kerr.ProducerFenced)
	case t.State == Ongoing:
		return m.decideV2(now, t, o)
	case t.State.prepared() && t.Outcome() == o:
		return refuse(kerr.ConcurrentTransactions)
	case t.State.prepared():
		return refuse(kerr.InvalidTxnState)
	case t.State != Empty && again && t.Outcome() == o:
		return Step{ProducerID: t.ProducerID, Epoch: t.Epoch}
	case t.State != Empty && again, o == batch.Commit:
		return refuse(kerr.InvalidTxnState)
	}
	return m.decideV2(now, t, o)
}

func (m *Machine) decideV2(now int64, t *Txn, o batch.Outcome) Step {
	fresh := none
	if t.exhausted() {
		var err error
		if fresh, err = m.cfg.NewProducerID(); err != nil {
			return withoutID()
		}
	}
	n := t.decide(now, prepare(o), partition.TxnV2, fresh)
	done := n.completed(now)
	return Step{ProducerID: done.ProducerID, Epoch: done.Epoch, Next: n}
}
