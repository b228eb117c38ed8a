package broker

import (
	"time"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/txn"
)

// Bounds of transactions, Kafka's defaults.
const (
	maxTransactionTimeout  = 15 * time.Minute
	transactionIDRetention = 7 * 24 * time.Hour
)

// startTxns starts the coordinators of transactions. Those of groups run
// already, since transactions that were decided are completed now.
func (b *Broker) startTxns() (err error) {
	b.txns, err = coord.StartTxns(coord.TxnOptions{
		Catalog: b.catalog, Groups: b.groups, Clock: b.cfg.Clock, Log: b.cfg.Logger,
		Txn: txn.Config{
			MaxTimeout:    maxTransactionTimeout,
			IDRetention:   transactionIDRetention,
			NewProducerID: b.catalog.ProducerID,
		},
	})
	return err
}
