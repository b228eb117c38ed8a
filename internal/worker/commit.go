package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
)

// # Commit
//
// The problem. A task has three kinds of output that a crash may tear apart:
// the offsets up to which its inputs are processed, the records it wrote, and
// its state on disk. There is no transaction over the three; what there is, is
// an order in which each step only says what the steps before made true.
//
// Invariants.
//
//   - Offsets never run ahead of output: what is committed as processed has all
//     its records acknowledged. (At least once: they may be written twice.)
//   - A store never runs ahead of its changelog: its checkpoint is the offset
//     after a record that was acknowledged, and all below that is in it. So a
//     store can always be brought up to date from its changelog, and a store
//     that is lost is no loss.
//   - A store never runs ahead of the offsets. Else a record would be processed
//     again on a state that has seen it already: a count would be too high by
//     what was processed between the commit and the crash. Behind is fine: the
//     rest is in the changelog. (The changelog itself can run ahead of the
//     offsets, which is the price of at least once.)
//
// The outline, for all tasks of a worker at once, in this order and no other:
//
//	flush    task.Flush: caches write what they hold back downstream and to
//	         the changelogs. May produce records, thus before the next step.
//	drain    session.Flush: every record of the task is acknowledged.
//	offsets  group.Commit: one request for all tasks of the worker.
//	persist  task.Persist: changes and checkpoints go to disk in one batch.
//
// A failure ends the commit there; what was done stays valid, and the next
// commit does all of it again. Only the failure of a persist leaves something
// undone that nobody does again: it is fatal for the instance, and the next one
// restores the store from its changelog.
//
// Steps of different tasks aren't interleaved: that all tasks flush before the
// first one is drained lets them share batches, round trips and a commit.
//
// Rejected: to go on processing while records are being acknowledged. It needs a
// frozen copy of each cache and saves about one round trip per interval.

// commit commits units and returns the first failure. Units that failed are
// left out. It returns early when ctx is done, or the context of one of the
// units.
func (w *worker) commit(ctx context.Context, units []*unit) error {
	began := w.in.cfg.Clock.Now()
	err := w.commitSteps(ctx, units)
	w.in.commits.add(w.in.cfg.Clock.Now().Sub(began), err)
	return err
}

func (w *worker) commitSteps(ctx context.Context, units []*unit) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	live := make([]*unit, 0, len(units))
	for _, u := range units {
		if u.failed || u.closed {
			continue
		}
		live = append(live, u)
		defer context.AfterFunc(u.ctx, cancel)()
	}
	for _, u := range live {
		if err := u.task.Flush(); err != nil {
			return u.fatal(ctx, err)
		}
	}
	for _, u := range live {
		if err := u.session.Flush(ctx); err != nil {
			return u.fatal(ctx, fmt.Errorf("task %s: %w", u.id, err))
		}
	}
	if err := w.commitOffsets(ctx, live); err != nil {
		return err
	}
	for _, u := range live {
		if err := u.task.Persist(u.acked); err != nil {
			u.failed = true
			return &fatalError{err}
		}
	}
	return nil
}

// fatal judges an error of a step that isn't repeated, unless it came of being
// told to stop: then the unit isn't wanted any more, or the step is taken again.
func (u *unit) fatal(ctx context.Context, err error) error {
	if u.ctx.Err() != nil {
		u.failed = true
		return u.ctx.Err()
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	u.failed = true
	if lost := u.session.Err(); errors.Is(lost, client.ErrDropped) {
		return lost
	}
	return &fatalError{err}
}

// acked is what task.Persist wants to know of the unit's session.
func (u *unit) acked(changelog int) int64 {
	if next := u.session.Acked(changelog); next > 0 {
		return next
	}
	return -1
}

// commitOffsets commits what has changed since the last time. A broker that
// can't be reached now is asked again, for as long as ctx allows: nothing can be
// gained by giving up.
func (w *worker) commitOffsets(ctx context.Context, units []*unit) error {
	w.offsets = w.offsets[:0]
	for _, u := range units {
		meta := u.task.Metadata()
		u.task.Offsets(func(tp record.TopicPartition, next int64, epoch int32) {
			i, own := u.index[tp], u.task.InputMetadata(tp)
			if u.figures[i].committed.Load() != next || u.metadata[i] != own {
				w.offsets = append(w.offsets, client.Offset{TopicPartition: tp, Next: next, LeaderEpoch: epoch, Metadata: meta + own})
			}
		})
	}
	for tries := 1; ; tries++ {
		err := w.in.group.Commit(ctx, w.offsets)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var pe *client.PartitionError
		if errors.Is(err, client.ErrFenced) || errors.Is(err, client.ErrRebalancing) || errors.Is(err, client.ErrClosed) || errors.As(err, &pe) {
			return err
		}
		w.in.log.warn("commit failed, trying again", "error", err)
		if err := w.in.sleep(ctx, min(time.Duration(tries)*100*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
	}
	for _, u := range units {
		u.task.Offsets(func(tp record.TopicPartition, next int64, _ int32) {
			i := u.index[tp]
			u.figures[i].committed.Store(next)
			u.metadata[i] = u.task.InputMetadata(tp)
		})
	}
	w.in.purge.committed(w.offsets)
	return nil
}

// fatalError stops the instance.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }
