package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// prepare makes a task ready to run and hands it to a worker. It waits for its
// turn, as only so many tasks are restored at a time.
func (in *Instance) prepare(u *unit) {
	defer close(u.prepared)
	select {
	case in.turns <- struct{}{}:
		defer func() { <-in.turns }()
	case <-u.ctx.Done():
		return
	}
	err := in.open(u)
	if err == nil {
		err = in.restore(u)
	}
	if err == nil && in.handOver(u) {
		return
	}
	// After it was given up nobody wants to know why it wouldn't have started.
	wanted := u.ctx.Err() == nil
	if u.task == nil && u.db != nil {
		err = errors.Join(err, u.db.Close())
	}
	in.closeUnit(u)
	if err != nil && wanted {
		in.fail(fmt.Errorf("worker: task %s can't be started: %w", u.id, err))
	}
}

// handOver gives the task to the worker with the fewest. It reports false if it
// was given up meanwhile.
func (in *Instance) handOver(u *unit) bool {
	in.mu.Lock()
	if u.dropped || u.ctx.Err() != nil {
		in.mu.Unlock()
		return false
	}
	w := in.workers[0]
	for _, o := range in.workers[1:] {
		if o.load < w.load {
			w = o
		}
	}
	w.load++
	u.worker = w
	in.running[u] = true
	in.mu.Unlock()
	w.box.call(func() { w.adopt(u) })
	in.group.Resume(u.inputs)
	in.wakePoll()
	in.cfg.Logger.Info("task is running", "task", u.id)
	in.updatePhase()
	return true
}

// open opens the database and makes the task.
func (in *Instance) open(u *unit) error {
	ends, err := in.changelogEnds(u)
	if err != nil {
		return err
	}
	if u.db, err = in.openDB(u); err != nil {
		return err
	}
	if why := u.db.Opened().Wiped; why != nil {
		in.cfg.Logger.Warn("the state of a task is restored from the beginning", "task", u.id, "reason", why)
	}
	if err := in.distrust(u, ends); err != nil {
		return err
	}
	u.session = in.client.Session(u.ctx, len(in.cfg.Plan.Graph.Stores))
	cfg := task.Config{
		ID: u.id, App: in.cfg.App, Plan: in.cfg.Plan, Sub: u.sub, Counts: in.layout.counts, Partitions: in.partitions, Wake: func() { in.wakeWorker(u) },
		DB: u.db, Out: u.session, Globals: in.globals.states,
		Clock: in.cfg.Clock, Logger: in.cfg.Logger, Context: u.ctx,
		CacheBytes: in.cfg.CacheBytes / int64(max(len(in.layout.inputs), 1)),
		OnFailure:  in.cfg.OnFailure, DeadLetters: in.cfg.DeadLetters,
		Peers: in.orders.peers, Feeds: in.orders.feeds[u.id.Sub], Flow: in.flow,
		OnDrop: in.cfg.OnDrop, Backoff: in.cfg.Backoff, MaxFuture: in.cfg.MaxFuture.Milliseconds(),
		Eager: in.cfg.MaxTaskIdle < 0, Recycle: in.group.Recycle,
	}
	if u.task, err = task.New(cfg); err != nil {
		u.task = nil
		return err
	}
	for i, tp := range u.inputs {
		a := u.begin[tp]
		u.task.Seek(i, a.Position)
		u.task.RecallInput(i, a.Metadata)
		u.figures[i].position.Store(a.Position)
		u.figures[i].committed.Store(a.Offset)
	}
	return nil
}

// changelogEnds asks for the ends of a task's changelogs. All that the task's
// last owner has written is below them.
func (in *Instance) changelogEnds(u *unit) (map[record.TopicPartition]int64, error) {
	var tps []record.TopicPartition
	for _, s := range u.sub.Stores {
		if s.Logging == topology.Changelog {
			tps = append(tps, record.TopicPartition{Topic: s.ChangelogTopic(in.cfg.App), Partition: u.id.Partition})
		}
	}
	return in.ends(u.ctx, tps)
}

// lockWait is how long to wait for a database that another process has open: it
// may just be closing it, after it has given up the task.
const lockWait = 15 * time.Second

func (in *Instance) openDB(u *unit) (store.DB, error) {
	if len(u.sub.Stores) == 0 {
		return store.NewMem(), nil
	}
	began := in.cfg.Clock.Now()
	for {
		db, err := in.cfg.OpenDB(u.id)
		if !errors.Is(err, store.ErrLocked) || in.cfg.Clock.Now().Sub(began) > lockWait {
			return db, err
		}
		in.log.warn("waiting for the state directory of a task", "task", u.id, "error", err)
		if err := in.sleep(u.ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// distrust empties the stores whose content can't be brought up to date: without
// a checkpoint nobody knows how old it is, and beyond the end of its changelog it
// belongs to a changelog that is no more.
func (in *Instance) distrust(u *unit, ends map[record.TopicPartition]int64) error {
	for _, s := range u.sub.Stores {
		if s.Logging != topology.Changelog || s.Kind == topology.GlobalKV {
			continue
		}
		id, err := u.db.Prefix(s.Name)
		if err != nil {
			return err
		}
		tp := record.TopicPartition{Topic: s.ChangelogTopic(in.cfg.App), Partition: u.id.Partition}
		next, ok := u.db.Checkpoint(id)
		if ok && next <= ends[tp] {
			continue
		}
		if ok {
			in.cfg.Logger.Warn("a store is ahead of its changelog, which must have been deleted; it is restored from what there is", "task", u.id, "store", s.Name, "checkpoint", next, "end", ends[tp])
		}
		if !ok && u.db.Opened().Created {
			continue // nothing is in it
		}
		if err := u.db.Clear(id); err != nil {
			return err
		}
	}
	return nil
}

// tail is what is missing of a store.
type tail struct {
	changelog int
	tp        record.TopicPartition
	next, end int64
	since     int64 // records since what was restored was last persisted
}

// persistEvery is after how many records what was restored is written to disk.
const persistEvery = 50_000

// restore reads what the task's stores lack from their changelogs.
func (in *Instance) restore(u *unit) error {
	tails, err := in.tails(u)
	if err != nil || len(tails) == 0 {
		return err
	}
	began := in.cfg.Clock.Now()
	in.cfg.Logger.Info("restoring a task", "task", u.id, "stores", len(tails), "offsets", u.total.Load())
	reader, err := client.NewReader(in.cfg.Client)
	if err != nil {
		return err
	}
	defer reader.Close()
	for tp, ts := range tails {
		from := ts[0].next
		for _, t := range ts {
			from = min(from, t.next)
		}
		reader.Add(tp, from)
	}
	if err := in.readTails(u, reader, tails); err != nil {
		return err
	}
	in.cfg.Logger.Info("restored a task", "task", u.id, "records", u.restored.Load(), "took", in.cfg.Clock.Now().Sub(began).Round(time.Millisecond))
	return nil
}

// tails lists what is missing, by partition: the same topic may be the source of
// several stores.
func (in *Instance) tails(u *unit) (map[record.TopicPartition][]*tail, error) {
	out := make(map[record.TopicPartition][]*tail)
	var tps []record.TopicPartition
	logs := u.task.Changelogs()
	for i, c := range logs {
		if c.Topic == "" {
			continue
		}
		t := &tail{changelog: i, tp: c.TopicPartition, next: c.Next}
		if c.FromInput {
			// Records from the committed offset on will be processed.
			t.end = max(u.begin[c.TopicPartition].Offset, 0)
			if t.next >= t.end {
				continue
			}
		} else {
			tps = append(tps, c.TopicPartition)
		}
		out[c.TopicPartition] = append(out[c.TopicPartition], t)
	}
	ends, err := in.ends(u.ctx, tps)
	if err != nil {
		return nil, err
	}
	for tp, ts := range out {
		kept := ts[:0]
		for _, t := range ts {
			if !logs[t.changelog].FromInput {
				t.end = ends[tp]
			}
			if t.next < t.end {
				kept = append(kept, t)
				u.total.Add(t.end - t.next)
			}
		}
		if out[tp] = kept; len(kept) == 0 {
			delete(out, tp)
		}
	}
	return out, nil
}

// readTails feeds the stores until each has all of its tail.
func (in *Instance) readTails(u *unit, reader *client.Reader, tails map[record.TopicPartition][]*tail) error {
	var batches []client.Batch
	for len(tails) > 0 {
		ctx, cancel := context.WithTimeout(u.ctx, doubtful)
		var err error
		batches, err = reader.Poll(ctx, 20_000, batches[:0])
		cancel()
		if err != nil && u.ctx.Err() != nil {
			return u.ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for i := range batches {
			b := &batches[i]
			if err := in.feed(u, tails[b.TopicPartition], b); err != nil {
				return err
			}
			reader.Recycle(b.Records)
		}
		if len(batches) == 0 {
			if err := in.skipTails(u, tails); err != nil {
				return err
			}
		}
		for tp, ts := range tails {
			done, err := in.finish(u, ts)
			if err != nil {
				return err
			}
			if done {
				delete(tails, tp)
				reader.Remove(tp)
			}
		}
	}
	return nil
}

// feed gives a batch to the stores that lack it.
func (in *Instance) feed(u *unit, ts []*tail, b *client.Batch) error {
	for _, t := range ts {
		recs := between(b.Records, t.next, t.end)
		if len(recs) > 0 {
			if err := u.task.Restore(t.changelog, recs); err != nil {
				return err
			}
		}
		if next := min(b.Next, t.end); next > t.next {
			u.restored.Add(next - t.next)
			t.next = next
		}
		t.since += int64(len(recs))
		if t.since >= persistEvery {
			t.since = 0
			if err := u.task.Restored(t.changelog, t.next); err != nil {
				return err
			}
		}
	}
	return nil
}

// between cuts out the records with offsets in [next, end).
func between(recs []record.Record, next, end int64) []record.Record {
	for len(recs) > 0 && recs[0].Offset < next {
		recs = recs[1:]
	}
	for len(recs) > 0 && recs[len(recs)-1].Offset >= end {
		recs = recs[:len(recs)-1]
	}
	return recs
}

// skipTails passes offsets without records. It is called when nothing has come
// for a while.
func (in *Instance) skipTails(u *unit, tails map[record.TopicPartition][]*tail) error {
	for tp, ts := range tails {
		for _, t := range ts {
			next, err := in.client.NextRecord(u.ctx, tp, t.next)
			if err != nil {
				if u.ctx.Err() != nil {
					return u.ctx.Err()
				}
				in.log.warn("waiting for a changelog", "task", u.id, "partition", tp, "error", err)
				break
			}
			if next = min(next, t.end); next > t.next {
				u.restored.Add(next - t.next)
				t.next = next
			}
		}
	}
	return nil
}

// finish persists the tails of a partition when all are complete.
func (in *Instance) finish(u *unit, ts []*tail) (bool, error) {
	for _, t := range ts {
		if t.next < t.end {
			return false, nil
		}
	}
	for _, t := range ts {
		if err := u.task.Restored(t.changelog, t.next); err != nil {
			return false, err
		}
	}
	return true, nil
}
