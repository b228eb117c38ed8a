package coord

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/internal/clock"
)

// TxnOptions configures the coordinators of transactions. All fields are
// required.
type TxnOptions struct {
	Catalog *catalog.Catalog
	Groups  *Groups // for the offsets in transactions
	Clock   clock.Clock
	Log     *slog.Logger
	Txn     txn.Config
}

// Txns runs the coordinators of all transactions. It is safe for concurrent
// use.
type Txns struct {
	sharded[*txnShard]
	opt    TxnOptions
	ctx    context.Context // done when the coordinators stop
	cancel context.CancelFunc
	jobs   sync.WaitGroup // that write markers
}

// StartTxns starts the coordinators, replays their transactions and goes on
// with those that were decided. Without a topic of transactions there is
// nothing to start: the first request for one creates it.
func StartTxns(o TxnOptions) (*Txns, error) {
	c := &Txns{opt: o}
	c.sharded = sharded[*txnShard]{
		catalog: o.Catalog, topic: catalog.TransactionState, compression: "uncompressed",
		open:     func(log *partition.Log) *txnShard { return newTxnShard(c, log) },
		replayed: c.repair,
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if err := c.resume(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Close stops the shards and what they have going on. Calls that wait fail
// with ErrClosed.
func (c *Txns) Close() error {
	c.cancel()
	err := c.sharded.Close()
	c.jobs.Wait()
	return err
}

// markRetry is the time between two attempts to write what the disk refuses.
const markRetry = time.Second

func (c *Txns) pause(d time.Duration) {
	t := c.opt.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
	case <-c.ctx.Done():
	}
}

// mark writes the markers of a prepared transaction and returns when they are
// durable. The decision has to be before: end is where it ends in the shard's
// log.
func (c *Txns) mark(s *txnShard, end int64, t *txn.Txn) error {
	if err := s.log.WaitDurable(c.ctx, end); err != nil {
		return err
	}
	e := partition.TxnEnd{
		ProducerID: t.ProducerID, Epoch: t.Epoch, CoordinatorEpoch: s.log.Epoch(),
		Outcome: t.Outcome(), Version: t.Version,
	}
	var waits []func() error
	for _, p := range t.Partitions {
		if wait := c.markPartition(p, e); wait != nil {
			waits = append(waits, wait)
		}
	}
	var errs []error
	for _, wait := range waits {
		errs = append(errs, wait())
	}
	return errors.Join(errs...)
}

// markPartition writes a marker and returns a function that waits until it is
// durable, or nil if the partition is gone.
func (c *Txns) markPartition(p txn.Partition, e partition.TxnEnd) func() error {
	if p.Topic == catalog.ConsumerOffsets {
		f := c.opt.Groups.EndTxn(p.Partition, e)
		if f == nil {
			return nil
		}
		return func() error {
			err, failed := f.Await(c.ctx)
			return errors.Join(failed, c.lasting(p, err))
		}
	}
	log := c.opt.Catalog.Image().Topic(p.Topic).Log(p.Partition)
	if log == nil {
		return nil
	}
	at, err := log.EndTxn(e)
	return func() error {
		if err == nil {
			err = log.WaitDurable(c.ctx, at.LastOffset+1)
		}
		return c.lasting(p, err)
	}
}

// lasting leaves out the errors of a marker that mean that it isn't needed: it
// is there already, from before a restart, or its partition has been deleted.
func (c *Txns) lasting(p txn.Partition, err error) error {
	switch code := batch.CodeOf(err); {
	case code == kerr.InvalidProducerEpoch.Code, code == kerr.TransactionCoordinatorFenced.Code:
		return nil
	case errors.Is(err, partition.ErrClosed) && c.opt.Catalog.Image().Topic(p.Topic).Log(p.Partition) == nil:
		return nil
	}
	return err
}
