package coord

import (
	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
)

// repair aborts the transactions that are open in a log but that no shard knows
// of, so that nobody could ever end them. They are left where a power cut took
// more of the coordinators' logs than of others, which the fsync durability
// rules out. It runs before anybody can begin a new one.
func (c *Txns) repair(list []*txnShard) {
	owners := map[int64]*txn.Txn{}
	for _, s := range list {
		for _, t := range s.m.All() {
			owners[t.ProducerID] = t
		}
	}
	for _, topic := range c.opt.Catalog.Image().Topics() {
		for i, log := range topic.Logs {
			p := txn.Partition{Topic: topic.Name, Partition: int32(i)}
			for _, known := range log.Producers() {
				if known.TxnStart >= 0 && !ends(owners[known.ID], known, p) {
					c.abandon(p, log, known)
				}
			}
		}
	}
}

// ends says whether the coordinator will end what the log has open of a
// producer.
func ends(t *txn.Txn, known partition.Producer, p txn.Partition) bool {
	return t != nil && t.Epoch >= known.Epoch && t.Has(p)
}

// abandon writes the marker that nobody else will write.
func (c *Txns) abandon(p txn.Partition, log *partition.Log, known partition.Producer) {
	e := partition.TxnEnd{
		ProducerID: known.ID, Epoch: known.Epoch, CoordinatorEpoch: max(known.CoordinatorEpoch, 0),
		Outcome: batch.Abort, Version: partition.TxnV1,
	}
	var err error
	if p.Topic == catalog.ConsumerOffsets {
		if f := c.opt.Groups.EndTxn(p.Partition, e); f != nil {
			var failed error
			if err, failed = f.Await(c.ctx); err == nil {
				err = failed
			}
		}
	} else {
		_, err = log.EndTxn(e)
	}
	c.opt.Log.Warn("aborted a transaction that no coordinator knows of",
		"topic", p.Topic, "partition", p.Partition, "producer", known.ID, "first_offset", known.TxnStart, "err", err)
}
