package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/client"
)

// worker runs tasks. All its methods but interrupt are called by its own
// goroutine; load is guarded by Instance.mu.
type worker struct {
	in    *Instance
	box   *mailbox
	units []*unit
	load  int // tasks it has or is about to get

	nextCommit time.Time
	fenced     bool // its last commit was refused: others may run its tasks by now
	holding    bool // it would commit, but for calls that are under way
	quit       bool

	// A commit that can't get through keeps the worker from giving tasks up.
	cancelCommit atomic.Pointer[context.CancelFunc]
	interrupted  atomic.Bool // before there was one to cancel

	parcel  []delivery
	calls   []func()
	offsets []client.Offset
}

// A worker goes from task to task: each may take slice records, or as many as it
// can within turn, in steps of step records between looks at the clock.
const (
	slice = 1000
	step  = 250
	turn  = 10 * time.Millisecond
)

func newWorker(in *Instance) *worker {
	return &worker{in: in, box: newMailbox()}
}

// run works until it is told to quit.
func (w *worker) run(ctx context.Context) {
	timer := w.in.cfg.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	w.nextCommit = w.in.cfg.Clock.Now().Add(w.in.cfg.CommitInterval)
	for !w.quit {
		w.receive()
		progress := w.stepAll()
		w.maybeCommit(ctx)
		if progress || w.quit {
			continue
		}
		timer.Reset(w.idleFor())
		select {
		case <-w.box.signal:
		case <-timer.C():
		}
	}
}

// stepAll runs each task for a while and reports whether any did anything. Once
// a commit was refused none does: what they would write now could come after
// what the new owners have written, and undo it.
func (w *worker) stepAll() (progress bool) {
	if w.fenced {
		return false
	}
	for _, u := range w.units {
		if w.stepUnit(u) {
			progress = true
		}
	}
	return progress
}

// receive takes in what others sent.
func (w *worker) receive() {
	w.parcel, w.calls = w.box.take(w.parcel, w.calls)
	for i := range w.parcel {
		w.add(&w.parcel[i])
	}
	for _, f := range w.calls {
		f()
	}
}

// add gives records to their task.
func (w *worker) add(d *delivery) {
	u := d.unit
	if u.closed {
		w.in.group.Recycle(d.batch.Records)
		return
	}
	f := &u.figures[d.input]
	f.position.Store(d.batch.Next)
	f.end.Store(max(f.end.Load(), d.batch.HighWatermark))
	u.behind[d.input] = time.Time{}
	u.buffered.Add(int64(u.task.Add(d.input, d.batch.Records, d.round) - len(d.batch.Records)))
	if !u.task.Orders(d.input) && !u.paused[d.input] && int64(u.task.Buffered(d.input)) > pauseFactor*u.room(w.in.cfg.BufferedRecords) {
		u.paused[d.input] = true
		w.in.group.Pause(u.inputs[d.input : d.input+1])
	}
}

// pauseFactor says how many times its room a partition may fill before it is
// paused. Not to poll is the cheaper way to wait, since a paused partition's
// fetched records are thrown away; but with tasks of unequal speed it isn't
// enough.
const pauseFactor = 4

// stepUnit runs a task for a while and reports whether it did anything.
func (w *worker) stepUnit(u *unit) bool {
	if u.failed || u.ctx.Err() != nil || u.task.HeldBack() {
		return false
	}
	began := w.in.cfg.Clock.Now()
	done := 0
	for done < slice && !u.task.CommitRequested() {
		n, err := u.task.Step(step)
		done += n
		u.buffered.Add(-int64(n))
		if err != nil {
			w.fail(u, err)
			return false
		}
		if n < step || w.in.cfg.Clock.Now().Sub(began) >= turn {
			break
		}
	}
	if due, ok := u.task.NextPunctuation(); ok && !w.in.cfg.Clock.Now().Before(due) {
		if err := u.task.Punctuate(); err != nil {
			w.fail(u, err)
			return false
		}
	}
	if err := w.tell(u); err != nil {
		w.fail(u, err)
		return false
	}
	w.refill(u, done > 0)
	if done > 0 {
		w.in.process.add(w.in.cfg.Clock.Now().Sub(began), done)
	}
	return done > 0
}

// refill sees to it that a task gets the records it can go on with.
func (w *worker) refill(u *unit, progress bool) {
	for i, paused := range u.paused {
		if paused && (u.task.Orders(i) || int64(u.task.Buffered(i)) < u.room(w.in.cfg.BufferedRecords)) {
			u.paused[i] = false
			w.in.group.Resume(u.inputs[i : i+1])
		}
	}
	blocked := u.task.Waiting()
	if blocked {
		u.task.Forget()
		w.ask(u, u.task.Unconfirmed)
	} else {
		u.since = time.Time{}
	}
	if u.blocked.Swap(blocked) != blocked || progress {
		if w.in.hungry(u) {
			w.in.wakePoll()
		}
	}
}

// fail stops the instance for the failure of a task, unless the task was lost
// anyway. The task stays until it is closed, but isn't committed any more.
func (w *worker) fail(u *unit, err error) {
	u.failed = true
	switch {
	case u.ctx.Err() != nil:
	case errors.Is(u.session.Err(), client.ErrDropped):
		w.startOver(err)
	default:
		w.in.fail(err)
	}
}

// startOver lets all tasks of the instance begin again at their last commit.
func (w *worker) startOver(err error) {
	w.in.log.warn("records were dropped that weren't written yet: the tasks here begin again where they last committed", "error", err)
	w.fenced = true
	w.in.group.Renounce()
}

// maybeCommit commits if it is time, or a task asked for it.
func (w *worker) maybeCommit(ctx context.Context) {
	if len(w.units) == 0 {
		return
	}
	now := w.in.cfg.Clock.Now()
	due := !now.Before(w.nextCommit)
	for _, u := range w.units {
		due = due || u.task.CommitRequested() && !u.failed
	}
	if !due || !w.settled() {
		return
	}
	err := w.commitForNow(ctx)
	w.nextCommit = w.in.cfg.Clock.Now().Add(w.in.cfg.CommitInterval)
	var fatal *fatalError
	switch {
	case err == nil:
		w.fenced = false
	case ctx.Err() != nil:
	case errors.As(err, &fatal):
		w.in.fail(fatal.err)
	case errors.Is(err, client.ErrDropped):
		w.startOver(err)
	case errors.Is(err, client.ErrFenced):
		// The group will say what was lost; nothing counts any more until then.
		w.fenced = true
		w.in.log.warn("commit refused: another instance may have the tasks", "error", err)
		w.nextCommit = w.in.cfg.Clock.Now().Add(min(time.Second, w.in.cfg.CommitInterval))
	default:
		if !errors.Is(err, context.Canceled) {
			w.in.log.warn("commit put off", "error", err)
		}
		w.nextCommit = w.in.cfg.Clock.Now().Add(min(100*time.Millisecond, w.in.cfg.CommitInterval))
	}
}

// settled reports whether all tasks can commit. One that has calls under way takes
// no records until they have returned; the others go on meanwhile, and the commit
// comes a little later.
func (w *worker) settled() bool {
	w.holding = false
	for _, u := range w.units {
		if !u.failed && !u.task.Hold() {
			w.holding = true
		}
	}
	if !w.holding {
		for _, u := range w.units {
			u.task.Release()
		}
	}
	return !w.holding
}

// commitForNow commits all tasks, unless it is interrupted.
func (w *worker) commitForNow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.cancelCommit.Store(&cancel)
	if w.interrupted.Swap(false) {
		return context.Canceled // what waits in the mailbox comes first
	}
	return w.commit(ctx, w.units)
}

// interrupt ends the commit that is under way or about to begin, for what has
// just been put into the mailbox. Any goroutine may call it.
func (w *worker) interrupt() {
	w.interrupted.Store(true)
	if cancel := w.cancelCommit.Load(); cancel != nil {
		(*cancel)()
	}
}

// idleFor is until when there is nothing to do unless something arrives.
func (w *worker) idleFor() time.Duration {
	now := w.in.cfg.Clock.Now()
	until := w.nextCommit
	if len(w.units) == 0 || w.holding {
		until = now.Add(time.Hour) // a call that returns wakes it
	}
	for _, u := range w.units {
		if u.failed || w.fenced || u.ctx.Err() != nil {
			continue
		}
		if due, ok := u.task.NextPunctuation(); ok && due.Before(until) {
			until = due
		}
		if u.task.Behind() {
			until = earlier(until, now.Add(tellEvery))
		}
		if u.blocked.Load() && !u.asking && u.askNext.Before(until) {
			until = u.askNext
		}
	}
	return max(until.Sub(now), 0)
}

// tellEvery is how soon a task that works off a backlog is looked at again, for
// those that wait for what it tells, or for what it is waiting for itself.
const tellEvery = 100 * time.Millisecond

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// adopt takes a task that has been prepared.
func (w *worker) adopt(u *unit) {
	w.units = append(w.units, u)
}

// retire gives tasks up: it commits them, unless they are lost, and closes
// them. What can't be committed is processed again by the next owner.
func (w *worker) retire(ctx context.Context, units []*unit, commit bool) {
	if commit {
		for _, u := range units {
			// What could be left to the next owner isn't, where there is time:
			// it would make the same calls again. An error comes up again.
			if !u.failed && !u.closed {
				_ = u.task.Settle(ctx)
			}
		}
		var fatal *fatalError
		switch err := w.commit(ctx, units); {
		case errors.As(err, &fatal):
			w.in.fail(fatal.err)
		case err != nil:
			w.in.log.warn("tasks are given up without a last commit: some records will be processed again", "error", err)
		}
	}
	gone := make(map[*unit]bool, len(units))
	for _, u := range units {
		gone[u] = true
		w.in.closeUnit(u)
	}
	kept := w.units[:0]
	for _, u := range w.units {
		if !gone[u] {
			kept = append(kept, u)
		}
	}
	clear(w.units[len(kept):])
	w.units = kept
	w.fenced = w.fenced && len(kept) > 0
}
