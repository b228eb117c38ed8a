package coord

import (
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
)

// TxnAnswer is the answer to a request about a transaction.
type TxnAnswer = Future[txn.Step]

// step runs a step of the machine for a transactional id.
func (c *Txns) step(id string, f func(*txn.Machine) txn.Step) (*TxnAnswer, error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return send(s.inbox, s.gone, func(out *TxnAnswer) {
		s.answer(out, s.carryOut(f(s.m)))
	}), nil
}

// Init is [txn.Machine.Init].
func (c *Txns) Init(id string, timeoutMS int32, was *txn.Producer) (*TxnAnswer, error) {
	return c.step(id, func(m *txn.Machine) txn.Step { return m.Init(c.opt.Clock.Now(), id, timeoutMS, was) })
}

// Add is [txn.Machine.Add].
func (c *Txns) Add(id string, p txn.Producer, ps []txn.Partition, v partition.TxnVersion) (*TxnAnswer, error) {
	return c.step(id, func(m *txn.Machine) txn.Step { return m.Add(c.opt.Clock.Now(), id, p, ps, v) })
}

// End is [txn.Machine.End]. The answer comes when the markers are written.
func (c *Txns) End(id string, p txn.Producer, o batch.Outcome, v partition.TxnVersion) (*TxnAnswer, error) {
	return c.step(id, func(m *txn.Machine) txn.Step { return m.End(c.opt.Clock.Now(), id, p, o, v) })
}

// Verify is [txn.Machine.Verify].
func (c *Txns) Verify(id string, p txn.Producer, ps []txn.Partition) (*Future[[]int16], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return send(s.inbox, s.gone, func(out *Future[[]int16]) {
		out.resolve(&s.journal, s.m.Verify(id, p, ps))
	}), nil
}

// Find returns the state of a transactional id, nil if it is not known.
func (c *Txns) Find(id string) (*Future[*txn.Txn], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	return send(s.inbox, s.gone, func(out *Future[*txn.Txn]) {
		out.resolve(&s.journal, s.m.Find(id))
	}), nil
}

// All lists the state of all transactional ids, one answer for some of them.
func (c *Txns) All() []*Future[[]*txn.Txn] {
	var all []*Future[[]*txn.Txn]
	for _, s := range c.all() {
		all = append(all, send(s.inbox, s.gone, func(out *Future[[]*txn.Txn]) {
			out.resolve(&s.journal, s.m.All())
		}))
	}
	return all
}

// Expire forgets the transactional ids that nobody has used for long.
func (c *Txns) Expire() []*Done {
	var all []*Done
	for _, s := range c.all() {
		all = append(all, send(s.inbox, s.gone, func(out *Done) {
			for _, step := range s.m.Expire(c.opt.Clock.Now()) {
				if s.carryOut(step).Code != 0 {
					break
				}
			}
			out.resolve(&s.journal, struct{}{})
		}))
	}
	return all
}
