package broker

import (
	"errors"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
)

// every calls do with the given time between calls, until the broker closes.
func (b *Broker) every(d time.Duration, do func()) {
	for b.sleep(d) {
		do()
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

// maintain applies retention and compaction to every partition, and lets
// unused offsets of groups and unused transactional ids expire.
func (b *Broker) maintain() {
	for _, f := range slices.Concat(b.groups.Expire(), b.txns.Expire()) {
		if _, err := f.Await(b.ctx); err != nil {
			return // the broker closes
		}
	}
	b.eachLog(func(t *catalog.Topic, p int, log *partition.Log) {
		now := b.cfg.Clock.Now()
		_, err := log.Retain(now)
		if err == nil && log.Config().Compact {
			_, err = log.Clean(now)
		}
		b.complain("a partition could not be cleaned up", t, p, err)
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
