package worker

import (
	"context"
	"errors"
	"time"

	"github.com/leatstream/leat/internal/client"
)

// poll feeds the workers until ctx is done.
func (in *Instance) poll(ctx context.Context) {
	var batches []client.Batch
	parcels := make(map[*worker][]delivery, len(in.workers))
	for ctx.Err() == nil {
		if !in.anyHungry() {
			select {
			case <-in.wake:
			case <-ctx.Done():
			}
			continue
		}
		var err error
		batches, err = in.group.Poll(ctx, in.cfg.BufferedRecords, batches[:0])
		// Whoever asks the broker about an input from here on does it after
		// this poll: see prober.
		round := in.round.Add(1)
		in.sort(batches, round, parcels)
		for w, p := range parcels {
			if len(p) > 0 {
				w.box.deliver(p)
				clear(p)
				parcels[w] = p[:0]
			}
		}
		clear(batches)
		in.group.Release()
		if err != nil && ctx.Err() == nil {
			in.pollFailed(ctx, err)
		}
	}
}

// sort addresses batches to the workers whose tasks they are for.
func (in *Instance) sort(batches []client.Batch, round uint64, parcels map[*worker][]delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i := range batches {
		b := &batches[i]
		u := in.units[in.layout.owner[b.TopicPartition]]
		if u == nil || u.worker == nil {
			// It belongs to no task: a task's partitions are paused from
			// before the first fetch until it runs.
			in.group.Recycle(b.Records)
			continue
		}
		u.handed(b)
		parcels[u.worker] = append(parcels[u.worker], delivery{u, u.index[b.TopicPartition], round, *b})
	}
}

// pollFailed judges what a poll said.
func (in *Instance) pollFailed(ctx context.Context, err error) {
	var pe *client.PartitionError
	switch {
	case errors.As(err, &pe):
		in.fail(err)
	default:
		in.log.warn("no records for now, trying again", "error", err)
		_ = in.sleep(ctx, 100*time.Millisecond)
	}
}

// hungry tells whether a task should get more records: it has used up half of
// what it may hold, or can't go on with what it has.
func (in *Instance) hungry(u *unit) bool {
	return u.blocked.Load() || u.buffered.Load() < u.room(in.cfg.BufferedRecords)/2
}

// anyHungry tells whether to poll. Without any task there is nothing to hold
// back for.
func (in *Instance) anyHungry() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for u := range in.running {
		if in.hungry(u) {
			return true
		}
	}
	return len(in.running) == 0
}

// wakePoll makes the poller look again.
func (in *Instance) wakePoll() {
	select {
	case in.wake <- struct{}{}:
	default:
	}
}

// wakeWorker makes the worker of a unit look at its tasks. Any goroutine may call
// it.
func (in *Instance) wakeWorker(u *unit) {
	in.mu.Lock()
	w := u.worker
	in.mu.Unlock()
	if w != nil {
		w.box.ring()
	}
}
