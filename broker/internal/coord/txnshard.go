package coord

import (
	"bytes"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
)

// txnShard owns the transactional ids of one partition of the topic of
// transactions. Everything belongs to its loop.
type txnShard struct {
	journal
	loop
	c *Txns

	m    *txn.Machine
	wake time.Time // when some transaction may time out; zero is never
	// The answers that wait for the markers of a transaction.
	waiting map[*txn.Txn][]func()
}

func newTxnShard(c *Txns, log *partition.Log) *txnShard {
	return &txnShard{
		journal: journal{log: log}, loop: newLoop(c.opt.Clock), c: c,
		m:       txn.New(c.opt.Txn),
		waiting: map[*txn.Txn][]func(){},
	}
}

// work runs the shard's steps until stop. It begins by finishing what the one
// before it had decided.
func (s *txnShard) work() {
	s.turn(func() {
		for _, t := range s.m.Unfinished() {
			s.finish(t)
		}
		s.rewind()
	}, s.tick)
}

// replay rebuilds the transactions from the records of the partition. A record
// that can't be read is left out: it must not keep the others from starting.
func (s *txnShard) replay() error {
	return s.journal.replay(func(h *batch.Header, rec batch.Record) {
		err := s.m.Restore(txn.Record{Key: bytes.Clone(rec.Key), Value: bytes.Clone(rec.Value)})
		if err != nil {
			s.c.opt.Log.Error("skipping a record of the topic of transactions", "offset", h.BaseOffset+int64(rec.OffsetDelta), "err", err)
		}
	}, nil)
}

// carryOut stores a step and lets it take effect; the step that is returned
// says what came of it.
func (s *txnShard) carryOut(step txn.Step) txn.Step {
	if step.Next == nil {
		return step
	}
	if _, err := store(&s.journal, s.c.opt.Clock.Now(), batch.New(), 0, []txn.Record{step.Record()}); err != nil {
		s.c.opt.Log.Error("the state of a transaction could not be stored", "transactional.id", step.Next.ID, "err", err)
		return txn.Step{Code: notStored, ProducerID: batch.NoProducer, Epoch: -1}
	}
	s.m.Apply(step)
	if step.Ends() {
		s.finish(step.Next)
	} else if step.Next.State == txn.Ongoing {
		s.plan(step.Next.Deadline())
	}
	return step
}

// answer gives the answer of a step that was carried out. Where that ends a
// transaction, it waits for the markers: who is told that a transaction is
// committed then finds its records.
func (s *txnShard) answer(out *Future[txn.Step], step txn.Step) {
	end := s.end
	if !step.Ends() {
		out.resolveAt(&s.journal, end, step)
		return
	}
	s.waiting[step.Next] = append(s.waiting[step.Next], func() { out.resolveAt(&s.journal, end, step) })
}

// release gives the answers that waited for a transaction's markers.
func (s *txnShard) release(t *txn.Txn) {
	for _, f := range s.waiting[t] {
		f()
	}
	delete(s.waiting, t)
}

// finish has the markers of a prepared transaction written, and stores that
// they are.
func (s *txnShard) finish(t *txn.Txn) {
	end := s.end
	s.c.jobs.Go(func() {
		for s.c.ctx.Err() == nil {
			err := s.c.mark(s, end, t)
			if s.c.ctx.Err() != nil {
				return
			}
			if err != nil {
				s.c.opt.Log.Error("a transaction's markers could not be written; trying again", "transactional.id", t.ID, "err", err)
			}
			done := send(s.inbox, s.gone, func(out *Future[bool]) {
				completed := err == nil && s.carryOut(s.m.Complete(s.c.opt.Clock.Now(), t)).Code == 0
				// What was decided is stored: nobody has to wait for a disk that
				// fails.
				s.release(t)
				out.resolveAt(&s.journal, 0, completed)
			})
			if completed, gone := done.Await(s.c.ctx); completed || gone != nil {
				return
			}
			s.c.pause(markRetry)
		}
	})
}

// tick ends the transactions that have been open for too long.
func (s *txnShard) tick() {
	now := s.c.opt.Clock.Now()
	for _, step := range s.m.TimeOut(now) {
		s.c.opt.Log.Warn("a transaction is aborted because it has been open for too long",
			"transactional.id", step.Next.ID, "producer", step.Next.ProducerID, "timeout_ms", step.Next.TimeoutMS)
		if s.carryOut(step).Code != 0 {
			s.wake = time.Time{}
			s.plan(now.Add(markRetry)) // the disk may be better then
			return
		}
	}
	s.rewind()
}

// rewind sets the timer to the earliest deadline of all transactions.
func (s *txnShard) rewind() {
	s.wake = time.Time{}
	s.timer.Stop()
	s.plan(s.m.NextDeadline())
}

// plan sets the timer to a deadline, unless there is an earlier one; zero is
// none.
func (s *txnShard) plan(at time.Time) {
	if at.IsZero() || !s.wake.IsZero() && !at.Before(s.wake) {
		return
	}
	s.wake = at
	s.timer.Reset(at.Sub(s.c.opt.Clock.Now()))
}
