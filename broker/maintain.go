package broker

import (
	"errors"
	"time"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/partition"
)

// every calls do with the given time between calls, until the broker closes.
func (b *Broker) every(pause func() time.Duration, do func()) {
	for b.sleep(pause()) {
		do()
	}
}

// tend starts what is done now and then.
func (b *Broker) tend() {
	regularly := func(setting string, do func()) {
		b.tasks.Go(func() {
			b.every(func() time.Duration { return max(b.settings().Millis(setting), time.Millisecond) }, do)
		})
	}
	if b.cfg.MaintenanceInterval >= 0 {
		regularly("log.retention.check.interval.ms", b.retain)
		regularly("log.cleaner.backoff.ms", b.compact)
		regularly("log.retention.check.interval.ms", func() { b.await(b.shares.Prune()) })
		regularly("offsets.retention.check.interval.ms", func() { b.await(b.groups.Expire()) })
		regularly("transaction.remove.expired.transaction.cleanup.interval.ms", func() { b.await(b.txns.Expire()) })
	}
	if b.cfg.Durability.kind == durabilityInterval {
		b.tasks.Go(func() { b.every(func() time.Duration { return b.cfg.Durability.every }, b.flush) })
	}
}

// sleep waits, and reports false if the broker closes meanwhile.
func (b *Broker) sleep(d time.Duration) bool {
	t := b.cfg.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-b.ctx.Done():
		return false
	}
}

// await waits for what coordinators were told to do, or for Close.
func (b *Broker) await(told []*coord.Done) {
	for _, f := range told {
		if _, err := f.Await(b.ctx); err != nil {
			return // the broker closes
		}
	}
}

// retain applies retention to every partition.
func (b *Broker) retain() {
	b.eachLog(func(t *catalog.Topic, p int, log *partition.Log) {
		done, err := log.Retain(b.cfg.Clock.Now())
		b.meters.deleted.Add(b.ctx, done.Bytes)
		b.complain("old records of a partition could not be deleted", t, p, err)
	})
}

// compact compacts the partitions that want it.
func (b *Broker) compact() {
	if !b.settings().Bool("log.cleaner.enable") {
		return
	}
	b.eachLog(func(t *catalog.Topic, p int, log *partition.Log) {
		if !log.Config().Compact {
			return
		}
		done, err := log.Clean(b.cfg.Clock.Now())
		b.meters.compacted.Add(b.ctx, done.BytesRead, bytesRead)
		b.meters.compacted.Add(b.ctx, done.BytesKept, bytesKept)
		b.complain("a partition could not be compacted", t, p, err)
	})
}

// flush syncs what the logs have written since the last time.
func (b *Broker) flush() {
	b.eachLog(func(t *catalog.Topic, p int, log *partition.Log) {
		b.complain("a partition could not be synced", t, p, log.Flush())
	})
}

// eachLog visits every log until the broker closes.
func (b *Broker) eachLog(do func(*catalog.Topic, int, *partition.Log)) {
	for _, t := range b.catalog.Image().Topics() {
		for p, log := range t.Logs {
			if b.ctx.Err() != nil {
				return
			}
			do(t, p, log)
		}
	}
}

// complain logs an error, unless the topic has been deleted meanwhile.
func (b *Broker) complain(what string, t *catalog.Topic, p int, err error) {
	if err == nil || errors.Is(err, partition.ErrClosed) || b.catalog.Image().TopicByID(t.ID) == nil {
		return
	}
	b.cfg.Logger.Error(what, "topic", t.Name, "partition", p, "err", err)
}
