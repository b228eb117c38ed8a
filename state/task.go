package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Task is what the function of a processor has of the task it runs in: the
// stores it listed, the times, and punctuations. It is a part of
// stream.Processor, stream.ValueProcessor and table.Transformer, and must be used
// by that task's functions only: it has no lock.
type Task struct {
	task *task.Task
	node *topology.Node
	now  *int64 // time of the record or punctuation in process
}

// NewTask is for leat's own packages. now points to the time that rows are
// written with.
func NewTask(t *task.Task, n *topology.Node, now *int64) Task { return Task{t, n, now} }

// Store opens a declared key-value store, while the processor is set up. If the
// store isn't listed beside the function the task doesn't start, and the app ends
// with an error that says so. The store of a table, or of another operator, can
// be read only.
func (t *Task) Store[K, V any](s Store[K, V]) *KeyValue[K, V] {
	open, st := t.opened(s.Name())
	if st == nil {
		return nil
	}
	kv, ok := open.(*cache.KeyValue[K, V])
	if !ok {
		t.reject(st, "key-value", "Store")
		return nil
	}
	return &KeyValue[K, V]{rows: rows{task: t.task, spec: st, now: t.now}, kv: kv}
}

// Window opens a declared window store, as Store does. It also reads the store of
// a windowed aggregation, by the declaration that the aggregation was given.
func (t *Task) Window[K, V any](s Typed[K, V]) *Window[K, V] {
	open, st := t.opened(s.Name())
	if st == nil {
		return nil
	}
	w := openWindow(rows{task: t.task, spec: st, now: t.now}, open, s)
	if w == nil || st.Kind != topology.Window {
		t.reject(st, "window", "Window")
		return nil
	}
	return w
}

// Session opens a declared session store, as Store does. It also reads the store
// of an aggregation by sessions, by the declaration that the aggregation was
// given.
func (t *Task) Session[K, V any](s Typed[K, V]) *Session[K, V] {
	open, st := t.opened(s.Name())
	if st == nil {
		return nil
	}
	r, ok := open.(*cache.Rows[K, V])
	if !ok || st.Kind != topology.Session {
		t.reject(st, "session", "Session")
		return nil
	}
	return &Session[K, V]{rows: rows{task: t.task, spec: st, now: t.now}, cells: r}
}

// opened finds a listed store; if it isn't listed the task is rejected and st is
// nil.
func (t *Task) opened(name string) (open any, st *topology.Store) {
	for _, st := range t.node.Stores {
		if st.Name == name {
			return t.task.Opened(name), st
		}
	}
	t.task.Reject(&topology.BuildError{At: t.node.At, Problem: "the processor opens store " + strconv.Quote(name) + ", which isn't listed in the call of " + t.node.Op + "; add it after the function"})
	return nil, nil
}

// reject ends the task that is being made, as a store is opened as what it isn't.
func (t *Task) reject(st *topology.Store, as, method string) {
	t.task.Reject(&topology.BuildError{At: t.node.At, Problem: fmt.Sprintf(
		"the processor opens store %q with the method %s, for a %s store of the declared types; it is the %s store of %s", st.Name, method, as, st.Kind, st.At)})
}

// TimeDomain is the time that a punctuation goes by.
type TimeDomain uint8

const (
	// StreamTime is the highest timestamp the task has seen. It stands still
	// while no records come.
	StreamTime TimeDomain = iota
	// WallClock is the time of day.
	WallClock
)

// Punctuate calls f whenever another interval of the chosen time has passed,
// with the time it is. A jump over several intervals is one call. By stream time
// the first call comes with the first record, by wall clock after the first
// interval. The interval is at least a millisecond. Stop the timer to end it.
//
// Punctuations are not kept over restarts; see [TimerStore] for timers that are.
func (t *Task) Punctuate(every time.Duration, by TimeDomain, f func(now time.Time) error) *Timer {
	return &Timer{t.task.Schedule(every, by == WallClock, t.punctuation(f))}
}

// PunctuateFrom is Punctuate with calls that are due at start and each interval
// after it: by wall clock at every full hour, say. Times that have passed when the
// task begins are left out (KIP-1146).
func (t *Task) PunctuateFrom(start time.Time, every time.Duration, by TimeDomain, f func(now time.Time) error) *Timer {
	return &Timer{t.task.ScheduleFrom(start.UnixMilli(), every, by == WallClock, t.punctuation(f))}
}

func (t *Task) punctuation(f func(now time.Time) error) func(int64) error {
	return func(now int64) error {
		*t.now = now
		return Failed(t.node, f(time.UnixMilli(now).UTC()))
	}
}

// Failed names the operator in an error of the user's. It is for leat's own
// packages.
func Failed(n *topology.Node, err error) error {
	if err == nil {
		return nil
	}
	var op *task.OpError
	if errors.As(err, &op) {
		return err // of a store, or of a node after this one
	}
	return &task.OpError{Operator: n.Label(), Kind: task.FailedProcess, Err: err}
}

// Timer is a punctuation.
type Timer struct{ p *task.Punctuation }

// Stop ends the punctuation. It may be called by the punctuation itself.
func (t *Timer) Stop() { t.p.Stop() }

// StreamTime is the highest timestamp the task has seen; ok is false before the
// first record.
func (t *Task) StreamTime() (at time.Time, ok bool) {
	ms := t.task.StreamTime()
	return time.UnixMilli(ms).UTC(), ms >= 0
}

// Now is the wall-clock time, by the clock that the app was configured with.
func (t *Task) Now() time.Time { return t.task.Now() }

// Partition is the partition that the task processes.
func (t *Task) Partition() int32 { return t.task.Partition() }

// Commit asks for a commit before the next record, instead of at the end of the
// commit interval. It returns at once.
func (t *Task) Commit() { t.task.RequestCommit() }

// OnClose calls f when the task ends here.
func (t *Task) OnClose(f func() error) { t.task.OnClose(f) }

// Context is done when the task is told to end; use it for calls that wait.
func (t *Task) Context() context.Context { return t.task.Context() }

// rows is what all kinds of open stores have in common.
type rows struct {
	task *task.Task
	spec *topology.Store
	now  *int64 // time of the record or punctuation in process
	err  error
}

// writable reports a write to a store that an operator owns.
func (r *rows) writable() error {
	if !r.spec.Owned {
		return nil
	}
	return fmt.Errorf("store %q is written by the operator at %s; a processor can only read it", r.spec.Name, r.spec.At)
}

// failed keeps the first error of an iteration, which the loop can't return.
func (r *rows) failed(err error) {
	if err == nil {
		return
	}
	if r.err == nil {
		r.err = err
	}
	r.task.Poison(err)
}

// Open opens a store in a task that no processor is made in; it is for leat's own
// packages. It is nil if the task has none of that name.
func Open(t *task.Task, name string) *Task {
	for _, st := range t.Stores() {
		if st.Name == name {
			now := t.Now().UnixMilli()
			return &Task{task: t, node: &topology.Node{Op: "Open", Stores: []*topology.Store{st}}, now: &now}
		}
	}
	return nil
}
