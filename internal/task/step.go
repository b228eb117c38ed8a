package task

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/invariant"
	"github.com/leatstream/leat/internal/record"
)

// Step takes up to limit records and drives each through the nodes. It returns
// how many it took; fewer than limit means that nothing more can be taken now.
// An error is fatal to the task: the record stays uncommitted.
func (t *Task) Step(limit int) (int, error) {
	n := 0
	if t.ordered {
		if err := t.catchUpTime(); err != nil {
			return 0, err
		}
	}
	for n < limit {
		before := n
		err := t.run(&n, limit)
		t.stats.Processed.Add(int64(n - before))
		t.stats.Buffered.Add(int64(before - n))
		t.stats.StreamTime.Store(t.streamTime)
		if err != nil {
			return n, err
		}
		if n == before {
			break
		}
		if t.idle != nil {
			t.took()
		}
		if t.commitSoon {
			break
		}
	}
	return n, nil
}

// StepInput takes one record, of the given input, whatever the others hold. It is
// for a driver that has an order of its own.
func (t *Task) StepInput(i int) error {
	t.only = i
	_, err := t.Step(1)
	t.only = -1
	return err
}

// run processes records until one fails or nothing is left. A panic of the
// user's function is caught here, once for a run rather than once for a record.
func (t *Task) run(n *int, limit int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r), 0)
			if err == nil {
				t.advance(t.currentInput(), n)
			}
		}
	}()
	for *n < limit && !t.commitSoon {
		if t.pending != nil {
			if err := t.settle(); err != nil {
				return err
			}
			if t.pending.closed() {
				return nil
			}
		}
		in, _ := t.choose()
		if in == nil {
			return nil
		}
		rec := in.head()
		t.begin(in, rec)
		if err := t.process(in, rec); err != nil {
			if err := t.failed(err, 0); err != nil {
				return err
			}
		}
		if t.ended != nil {
			return t.ended
		}
		t.advance(in, n)
		if t.streamTime >= t.nextStream {
			if err := t.punctuateStream(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Task) begin(in *input, rec *record.Record) {
	t.current = rec
	t.told = t.told[:0]
	t.meta = record.Meta{Topic: in.tp.Topic, Partition: in.tp.Partition, Offset: rec.Offset, Headers: rec.Headers}
}

func (t *Task) process(in *input, rec *record.Record) error {
	if in.stamps != nil {
		if err := in.stamps.taken(rec); err != nil {
			return stampError(in.tp.Topic, err)
		}
	}
	if rec.Time < 0 {
		t.Drop("Source("+in.tp.Topic+")", DropTimestamp)
		return nil
	}
	if rec.Time > t.future && t.tooFarAhead(rec.Time) {
		t.Drop("Source("+in.tp.Topic+")", DropFuture)
		return nil
	}
	before := t.streamTime
	t.streamTime = max(t.streamTime, rec.Time)
	err := in.handle(rec)
	if err != nil && undecodable(err) {
		t.streamTime = before // its time may be garbage too
	}
	return err
}

// tooFarAhead reports whether a timestamp is beyond the bound. The clock only goes
// forward, so what it has allowed once need not be asked again.
func (t *Task) tooFarAhead(ms int64) bool {
	if t.cfg.MaxFuture <= 0 {
		t.future = never
		return false
	}
	t.future = t.Now().UnixMilli() + t.cfg.MaxFuture
	return ms > t.future
}

func undecodable(err error) bool {
	var op *OpError
	return errors.As(err, &op) && op.Kind == FailedDecode
}

func (t *Task) advance(in *input, n *int) {
	t.current = nil
	if used := in.pop(); used != nil && t.cfg.Recycle != nil {
		t.cfg.Recycle(used)
	}
	*n++
}

// currentInput is the input of the record in process.
func (t *Task) currentInput() *input {
	for _, in := range t.inputs {
		if in.count > 0 && in.head() == t.current {
			return in
		}
	}
	invariant.Violated("task %s: a record failed that is at the head of no input", t.cfg.ID)
	return nil
}

// Failed settles the failure of a node, at the given attempt: nil means that the
// record is lost for that node and the others go on, ErrRetry that the node is to
// be called again. Any other error ends the task, and is passed on unchanged by
// the nodes before.
func (t *Task) Failed(operator string, err error, attempt int) error {
	if t.ended != nil {
		return err // settled
	}
	var op *OpError
	if !errors.As(err, &op) {
		err = &OpError{Operator: operator, Kind: FailedProcess, Err: err}
	}
	return t.failed(err, attempt)
}

// ErrRetry asks for another call.
var ErrRetry = errors.New("retry")

// Panicked is an error for a panic that was recovered. A panic of leat's own goes
// on.
func Panicked(recovered any) error { return panicError(recovered) }

// backOff waits before another attempt, twice as long each time. The worker waits
// with it, and so do its other tasks.
func (t *Task) backOff(attempt int) error {
	d := min(t.cfg.Backoff<<min(attempt-1, 20), maxBackoff)
	if t.cfg.Wait != nil {
		t.cfg.Wait(d)
		return nil
	}
	timer := t.cfg.Clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C():
		return nil
	case <-t.Context().Done():
		return t.end(t.Context().Err())
	}
}

const maxBackoff = 10 * time.Second

// failed asks the policy what to do about the record in process, and does it. An
// attempt of 0 can't be made again.
func (t *Task) failed(err error, attempt int) error {
	f := &Failure{Task: t.cfg.ID, Kind: FailedProcess, Topic: t.meta.Topic, Partition: t.meta.Partition, Offset: t.meta.Offset, Err: err, Attempt: max(attempt, 1)}
	if t.current != nil {
		f.Time = t.current.Time
	}
	var op *OpError
	if errors.As(err, &op) {
		f.Operator, f.Kind, f.Err = op.Operator, op.Kind, op.Err
	}
	if t.ended != nil {
		return err
	}
	if t.current == nil || f.Kind == FailedStore {
		// Without a record there is nothing to skip, and a store that fails
		// for one record fails for all.
		return t.fatal(f)
	}
	action, stop := t.cfg.OnFailure(f)
	switch action {
	case Retry:
		if f.Kind == FailedProcess && attempt > 0 {
			return cmp.Or(t.backOff(attempt), ErrRetry)
		}
	case Skip:
		t.count(f.label(), f.Kind.reason())
		return nil
	case DeadLetter:
		t.count(f.label(), f.Kind.reason())
		return t.end(t.deadLetter(f.Kind.String(), f.Err.Error(), f.label()))
	}
	return t.end(cmp.Or(stop, error(f)))
}

// end keeps the error that ends the task, if it is one.
func (t *Task) end(err error) error {
	if err != nil && t.ended == nil {
		t.ended = err
	}
	return err
}

func (t *Task) fatal(f *Failure) error {
	f.Final = true
	if _, stop := t.cfg.OnFailure(f); stop != nil {
		return t.end(stop)
	}
	return t.end(f)
}

// panicError turns a recovered panic into an error that names the place.
func panicError(r any) error {
	if _, bug := r.(*invariant.Error); bug {
		panic(r) // leat's, not the user's: no policy may hide it
	}
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicked := false // past the frames of the deferred calls
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Errorf("panic: %v (in %s, %s:%d)", r, f.Function, f.File, f.Line)
		}
		if !more {
			return fmt.Errorf("panic: %v", r)
		}
	}
}
