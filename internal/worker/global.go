package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
)

// globals are the global tables: each instance reads all partitions of their
// topics, from the beginning to the end before it takes any task, and then as
// they grow.
type globals struct {
	in     *Instance
	states []task.Global // by index, as in Plan.Globals

	reader  *client.Reader
	of      map[string][]task.Global // by topic
	records atomic.Int64
}

// openGlobals makes the states and reads them up to the present.
func (in *Instance) openGlobals(ctx context.Context) error {
	g := &globals{in: in, of: make(map[string][]task.Global)}
	in.globals = g
	if len(in.cfg.Plan.Globals) == 0 {
		return nil
	}
	var tps []record.TopicPartition
	for _, table := range in.cfg.Plan.Globals {
		state := table.New()
		g.states = append(g.states, state)
		topic := table.Node.Topic.Physical(in.cfg.App)
		if g.of[topic] == nil {
			for p := range in.layout.counts[topic] {
				tps = append(tps, record.TopicPartition{Topic: topic, Partition: int32(p)})
			}
		}
		g.of[topic] = append(g.of[topic], state)
	}
	var starts map[record.TopicPartition]int64
	err := in.retry(ctx, "starts of partitions", func() (err error) {
		starts, err = in.client.Starts(ctx, tps)
		return err
	})
	if err != nil {
		return err
	}
	ends, err := in.ends(ctx, tps)
	if err != nil {
		return err
	}
	if g.reader, err = client.NewReader(in.cfg.Client); err != nil {
		return err
	}
	for _, tp := range tps {
		g.reader.Add(tp, starts[tp])
	}
	began := in.cfg.Clock.Now()
	if err := g.catchUp(ctx, starts, ends); err != nil {
		return fmt.Errorf("worker: global tables: %w", err)
	}
	in.cfg.Logger.Info("global tables are complete", "records", g.records.Load(), "took", in.cfg.Clock.Now().Sub(began).Round(time.Millisecond))
	return nil
}

// catchUp reads until every position has reached its end.
func (g *globals) catchUp(ctx context.Context, positions, ends map[record.TopicPartition]int64) error {
	for tp, end := range ends {
		if positions[tp] >= end {
			delete(ends, tp)
		}
	}
	for len(ends) > 0 {
		polling, cancel := context.WithTimeout(ctx, doubtful)
		n, err := g.poll(polling, positions)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for tp, end := range ends {
			if n == 0 { // perhaps there is nothing more at the end
				if next, err := g.in.client.NextRecord(ctx, tp, positions[tp]); err == nil {
					positions[tp] = max(positions[tp], next)
				}
			}
			if positions[tp] >= end {
				delete(ends, tp)
			}
		}
	}
	return nil
}

// poll applies what comes next and notes it in positions, if there are any.
func (g *globals) poll(ctx context.Context, positions map[record.TopicPartition]int64) (int, error) {
	batches, failure := g.reader.Poll(ctx, 20_000, nil)
	n := 0
	for i := range batches {
		b := &batches[i]
		for _, state := range g.of[b.Topic] {
			if err := g.tolerate(state.Apply(b.TopicPartition, b.Records)); err != nil {
				return n, err
			}
		}
		n += len(b.Records)
		if positions != nil {
			positions[b.TopicPartition] = b.Next
		}
		g.reader.Recycle(b.Records)
	}
	g.records.Add(int64(n))
	return n, failure
}

// tolerate asks the policy about a record that could not be applied. All others
// of its batch have been. There is no task that could write a dead letter, so
// that action is to skip it too; every record is still on the topic.
func (g *globals) tolerate(err error) error {
	var f *task.Failure
	if !errors.As(err, &f) {
		return err
	}
	if action, stop := g.in.cfg.OnFailure(f); action == task.Fail {
		return cmp.Or(stop, err)
	}
	g.in.log.warn("a record of a global table is skipped", "error", f)
	return nil
}

// follow keeps the tables up to date.
func (g *globals) follow(ctx context.Context) {
	for g.reader != nil && ctx.Err() == nil {
		if _, err := g.poll(ctx, nil); err != nil && ctx.Err() == nil {
			g.in.fail(fmt.Errorf("worker: global tables: %w", err))
			return
		}
	}
}

func (g *globals) close() {
	if g.reader != nil {
		g.reader.Close()
	}
}
