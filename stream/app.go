package stream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/worker"
)

// App is an instance of an application: a topology, connected to a cluster. Any
// number of instances with the same application id share the tasks, in one
// process or in many.
type App struct {
	in     atomic.Pointer[worker.Instance]
	config worker.Config
}

// New makes an app. It checks the configuration, and connects to nothing yet.
func New(t *Topology, c Config) (*App, error) {
	if t == nil {
		return nil, errors.New("stream: no topology")
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	w, err := c.engine(t)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	in, err := worker.New(w)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	a := &App{config: w}
	a.in.Store(in)
	return a, nil
}

// Run makes the internal topics, joins the application's group and processes
// the tasks it is given until ctx ends. It then commits, hands its tasks over,
// and returns nil; what was committed is not done again.
//
// Any other end is an error: a *[RecordError] where a record stopped the app, or
// what is wrong with the cluster, the topics or the disk. Tasks that did not
// fail are committed in that case too. Run is called once.
func (a *App) Run(ctx context.Context) error {
	for {
		err := a.in.Load().Run(ctx)
		switch {
		case !errors.Is(err, worker.ErrTopicsChanged):
			return wrap(err)
		case ctx.Err() != nil:
			return nil
		}
		// A pattern matches other topics now: begin anew, with them.
		in, err := worker.New(a.config)
		if err != nil {
			return wrap(err)
		}
		a.in.Store(in)
	}
}

// Phase is what an app is doing.
type Phase string

// The phases.
const (
	Starting  Phase = "starting"  // waiting for the brokers and the topics
	Joining   Phase = "joining"   // in the group, without a task yet
	Restoring Phase = "restoring" // some tasks wait for their state
	Running   Phase = "running"   // every task it was given runs
	Stopping  Phase = "stopping"
	Stopped   Phase = "stopped"
)

// Status is a view of an app at one moment.
type Status struct {
	Phase Phase
	Tasks []TaskStatus
}

// TaskStatus is one task of a Status.
type TaskStatus struct {
	ID         string // sub-topology and partition: "0_3"
	Running    bool   // else it waits for its state
	Processed  int64  // records, since the task came here
	Lag        int64  // records written to its inputs and not yet committed
	StreamTime time.Time
	StateBytes int64 // on disk
	// Dropped counts records by operator and reason, "Count(x): late".
	Dropped map[string]int64
}

// Status is what the app is doing now. It is safe to call at any time.
func (a *App) Status() Status {
	from := a.in.Load().Status()
	s := Status{Phase: Phase(from.Phase.String())}
	for _, t := range from.Tasks {
		ts := TaskStatus{ID: t.ID.String(), Running: t.Running, StateBytes: t.StateBytes}
		for _, in := range t.Inputs {
			if in.End >= 0 {
				ts.Lag += max(0, in.End-max(0, in.Committed))
			}
		}
		if t.Stats != nil {
			ts.Processed = t.Stats.Processed.Load()
			if ms := t.Stats.StreamTime.Load(); ms >= 0 {
				ts.StreamTime = time.UnixMilli(ms).UTC()
			}
			ts.Dropped = map[string]int64{}
			t.Stats.Drops.Each(func(d task.Drop, n int64) { ts.Dropped[d.Operator+": "+d.Reason] = n })
		}
		s.Tasks = append(s.Tasks, ts)
	}
	return s
}
