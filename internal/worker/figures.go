package worker

import (
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/telemetry"
)

// commitCounter counts commits.
type commitCounter struct {
	n, failed, nanos atomic.Int64
}

func (c *commitCounter) add(took time.Duration, err error) {
	if err != nil {
		c.failed.Add(1)
		return
	}
	c.n.Add(1)
	c.nanos.Add(int64(took))
}

// processCounter adds up the time that workers spent on records.
type processCounter struct{ n, nanos atomic.Int64 }

func (c *processCounter) add(took time.Duration, records int) {
	c.n.Add(int64(records))
	c.nanos.Add(int64(took))
}

// measure publishes the figures of the instance.
func (in *Instance) measure() (func(), error) {
	return telemetry.Register(in.cfg.Meter, in.cfg.App, in.snapshot)
}

// snapshot collects the figures when somebody wants to see them.
func (in *Instance) snapshot() telemetry.Snapshot {
	s := telemetry.Snapshot{
		Commits:        in.commits.n.Load(),
		CommitFailures: in.commits.failed.Load(),
		CommitTime:     time.Duration(in.commits.nanos.Load()),
		Records:        in.process.n.Load(),
		ProcessTime:    time.Duration(in.process.nanos.Load()),
	}
	for _, t := range in.Status().Tasks {
		ts := telemetry.Task{
			Name: t.ID.String(), Restored: t.Restored, RestoreTotal: t.RestoreTotal,
			StateBytes: t.StateBytes, StreamTime: -1,
		}
		if t.Stats != nil {
			ts.Records, ts.Buffered = t.Stats.Processed.Load(), t.Stats.Buffered.Load()
			ts.StreamTime = t.Stats.StreamTime.Load()
			t.Stats.Drops.Each(func(d task.Drop, n int64) {
				ts.Drops = append(ts.Drops, telemetry.Drop{Operator: d.Operator, Reason: d.Reason, Records: n})
			})
		}
		for _, i := range t.Inputs {
			if i.End >= 0 && i.Committed >= 0 {
				ts.Lags = append(ts.Lags, telemetry.Lag{Topic: i.Topic, Partition: i.Partition, Records: max(i.End-i.Committed, 0)})
			}
		}
		s.Tasks = append(s.Tasks, ts)
	}
	return s
}

// Commits are the figures of the instance's commits.
func (in *Instance) Commits() CommitFigures {
	return CommitFigures{in.commits.n.Load(), in.commits.failed.Load(), time.Duration(in.commits.nanos.Load())}
}
