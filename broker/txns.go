package broker

import (
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/txn"
)

// startTxns starts the coordinators of transactions. Those of groups run
// already, since transactions that were decided are completed now.
func (b *Broker) startTxns() (err error) {
	b.txns, err = coord.StartTxns(coord.TxnOptions{
		Catalog: b.catalog, Groups: b.groups, Clock: b.cfg.Clock, Log: b.cfg.Logger,
		Txn: txn.Config{
			MaxTimeout:    b.settings().Millis("transaction.max.timeout.ms"),
			IDRetention:   b.settings().Millis("transactional.id.expiration.ms"),
			NewProducerID: b.catalog.ProducerID,
		},
	})
	return err
}
