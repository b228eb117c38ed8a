package coord

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
)

// TxnCommit is the transaction that a commit of offsets belongs to.
type TxnCommit struct {
	Producer txn.Producer
	// Guard is what BeginTxn gave, once the transaction is known to include
	// the group's partition.
	Guard partition.Guard
}

// header is what goes with the records of a commit; c is nil for one that is
// not part of a transaction.
func (c *TxnCommit) header() (batch.Header, partition.Guard, group.Place) {
	h, at := batch.New(), group.Place{Producer: group.NoTxn}
	if c == nil {
		return h, 0, at
	}
	h.Attributes = batch.Transactional
	h.ProducerID, h.ProducerEpoch = c.Producer.ID, c.Producer.Epoch
	at.Producer = c.Producer.ID
	return h, c.Guard, at
}

// PartitionOf is the partition of the offsets topic that a group belongs to.
func (c *Groups) PartitionOf(id string) (txn.Partition, error) {
	if err := c.Ensure(); err != nil {
		return txn.Partition{}, err
	}
	return txn.Partition{Topic: catalog.ConsumerOffsets, Partition: c.partition(id)}, nil
}

// BeginTxn is [partition.Log.BeginTxn] of a group's partition.
func (c *Groups) BeginTxn(id string, p txn.Producer, v partition.TxnVersion) (g partition.Guard, needed bool, err error) {
	s, err := c.of(id)
	if err != nil {
		return 0, false, err
	}
	return s.log.BeginTxn(p.ID, p.Epoch, 0, v)
}

// CommitInTxn stores offsets of a group which count when the transaction is
// committed.
func (c *Groups) CommitInTxn(id string, by group.Committer, commits []group.Commit, tx TxnCommit) (*Future[Committed], error) {
	s, err := c.of(id)
	if err != nil {
		return nil, err
	}
	by.InTxn = true
	return run(s, func(out *Future[Committed]) {
		out.resolve(&s.journal, s.commit(s.opt.Clock.Now(), id, by, commits, &tx))
	}), nil
}

// storeCode is the error code for offsets that could not be stored.
func (s *shard) storeCode(id string, err error) int16 {
	switch code := batch.CodeOf(err); code {
	case kerr.InvalidProducerEpoch.Code, kerr.InvalidTxnState.Code:
		return code // the transaction has ended meanwhile
	}
	s.opt.Log.Error("offsets could not be stored", "group", id, "err", err)
	return notStored
}

// opened notes that a group has offsets in a producer's transaction.
func (s *shard) opened(producer int64, id string) {
	if producer == group.NoTxn {
		return
	}
	if s.open[producer] == nil {
		s.open[producer] = map[string]bool{}
	}
	s.open[producer][id] = true
}

// ended tells the groups of the end of a producer's transaction, whose marker
// is stored.
func (s *shard) ended(producer int64, o batch.Outcome) {
	for id := range s.open[producer] {
		if g := s.groups[id]; g != nil {
			g.EndTxn(producer, o)
		}
	}
	delete(s.open, producer)
}

// EndTxn writes a marker into a partition of the offsets topic, after which
// the offsets in the producer's transaction count, or are forgotten. The
// answer is what became of the marker; it is nil if there is no such
// partition.
func (c *Groups) EndTxn(p int32, e partition.TxnEnd) *Future[error] {
	all := c.all()
	if p < 0 || int(p) >= len(all) {
		return nil
	}
	s := all[p]
	return run(s, func(out *Future[error]) {
		done, err := s.log.EndTxn(e)
		if err == nil {
			groups := s.open[e.ProducerID]
			s.end = done.LastOffset + 1
			s.ended(e.ProducerID, e.Outcome)
			for id := range groups {
				if g := s.groups[id]; g != nil {
					s.settle(g)
				}
			}
		}
		out.resolve(&s.journal, err)
	})
}
