package task

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"github.com/leatstream/leat/internal/invariant"
	"github.com/leatstream/leat/internal/record"
)

// Step takes up to limit records and drives each through the nodes. It returns
// how many it took; fewer than limit means that nothing more can be taken now.
// An error is fatal to the task: the record stays uncommitted.
func (t *Task) Step(limit int) (int, error) {
	n := 0
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
		if t.commitSoon {
			break
		}
	}
	return n, nil
}

// run processes records until one fails or nothing is left. A panic of the
// user's function is caught here, once for a run rather than once for a record.
func (t *Task) run(n *int, limit int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r))
			if err == nil {
				t.advance(t.currentInput(), n)
			}
		}
	}()
	for *n < limit && !t.commitSoon {
		in, _ := t.choose()
		if in == nil {
			return nil
		}
		rec := in.head()
		t.begin(in, rec)
		if err := t.process(in, rec); err != nil {
			if err := t.failed(err); err != nil {
				return err
			}
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
	t.meta = record.Meta{Topic: in.tp.Topic, Partition: in.tp.Partition, Offset: rec.Offset, Headers: rec.Headers}
}

func (t *Task) process(in *input, rec *record.Record) error {
	if rec.Time < 0 {
		t.stats.Drops.Count("Source("+in.tp.Topic+")", DropTimestamp)
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

// Failed settles the failure of a node: nil means that the record is lost for that
// node and the others go on. Any other error ends the task, and is passed on
// unchanged by the nodes before.
func (t *Task) Failed(operator string, err error) error {
	if t.ended != nil {
		return err // settled
	}
	var op *OpError
	if !errors.As(err, &op) {
		err = &OpError{Operator: operator, Kind: FailedProcess, Err: err}
	}
	return t.failed(err)
}

// Panicked is Failed for a panic that was recovered.
func (t *Task) Panicked(operator string, recovered any) error {
	return t.Failed(operator, panicError(recovered))
}

// failed asks the policy what to do about the record in process, and does it.
func (t *Task) failed(err error) error {
	f := &Failure{Task: t.cfg.ID, Kind: FailedProcess, Topic: t.meta.Topic, Partition: t.meta.Partition, Offset: t.meta.Offset, Err: err}
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
	case Skip:
		t.stats.Drops.Count(f.label(), f.Kind.reason())
		return nil
	case DeadLetter:
		t.stats.Drops.Count(f.label(), f.Kind.reason())
		return t.end(t.deadLetter(f))
	}
	return t.end(stop)
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
