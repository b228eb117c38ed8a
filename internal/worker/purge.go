package worker

import (
	"context"
	"sync"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
)

// purgeEvery is how often processed records of repartition topics are deleted.
const purgeEvery = 30 * time.Second

// purger deletes the records of repartition topics that were processed: nothing
// else does, as such a topic keeps its records for as long as a task may need
// them.
type purger struct {
	in     *Instance
	topics map[string]bool

	mu    sync.Mutex
	below map[record.TopicPartition]int64
}

func newPurger(in *Instance) *purger {
	return &purger{
		in: in, topics: in.layout.repartition(in.cfg.Plan.Graph),
		below: make(map[record.TopicPartition]int64),
	}
}

// committed notes up to where records are done with.
func (p *purger) committed(offsets []client.Offset) {
	if len(p.topics) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range offsets {
		if p.topics[o.Topic] && o.Next > 0 {
			p.below[o.TopicPartition] = o.Next
		}
	}
}

func (p *purger) run(ctx context.Context) {
	for len(p.topics) > 0 && p.in.sleep(ctx, purgeEvery) == nil {
		p.delete(ctx)
	}
}

// delete deletes what was noted. If it fails the records are kept a little
// longer.
func (p *purger) delete(ctx context.Context) {
	p.mu.Lock()
	below := p.below
	p.below = make(map[record.TopicPartition]int64)
	p.mu.Unlock()
	if err := p.in.client.Purge(ctx, below); err != nil && ctx.Err() == nil {
		p.in.log.warn("processed records of repartition topics could not be deleted", "error", err)
	}
}
