package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// start waits for brokers and topics, lays out the tasks and makes sure that
// the internal topics are there.
func (in *Instance) start() error {
	in.setPhase(Starting)
	ctx, cancel := context.WithTimeout(in.ctx, in.cfg.StartTimeout)
	err := in.retry(ctx, "a first answer", func() error { return in.client.Ready(ctx) })
	cancel()
	if err != nil {
		return fmt.Errorf("worker: application %s can't start: no answer within %v: %w", in.cfg.App, in.cfg.StartTimeout, err)
	}
	counts, err := in.awaitTopics(in.ctx)
	if err != nil {
		return err
	}
	in.sizes.start(counts)
	g := in.cfg.Plan.Graph
	resolved, err := g.Resolve(in.cfg.App, counts)
	if err != nil {
		return fmt.Errorf("worker: application %s: %w", in.cfg.App, err)
	}
	in.layout = newLayout(in.cfg.App, g, resolved)
	if !in.cfg.Plan.LikeKafka {
		in.orders = newOrders(in.layout)
	}
	in.flow = task.NewFlow(in.cfg.HoldBytes, in.orders.topics())
	ctx, cancel = context.WithTimeout(in.ctx, in.cfg.StartTimeout)
	defer cancel()
	err = in.retry(ctx, "internal topics", func() error {
		return in.client.CreateTopics(ctx, in.layout.internalTopics(g, in.cfg.Replication))
	})
	if err != nil {
		return fmt.Errorf("worker: internal topics of application %s: %w", in.cfg.App, err)
	}
	return nil
}

// A MissingTopicsError says that topics the application reads or writes aren't
// there.
type MissingTopicsError struct {
	App    string
	Topics []string
	Waited time.Duration
}

func (e *MissingTopicsError) Error() string {
	return fmt.Sprintf("worker: application %s: no topic %s (waited %v): create what is missing, or correct the name", e.App, strings.Join(e.Topics, ", "), e.Waited)
}

// awaitTopics waits until the user's topics are there, and returns their numbers
// of partitions.
func (in *Instance) awaitTopics(ctx context.Context) (topology.Counts, error) {
	names := external(in.cfg.Plan.Graph, in.cfg.App)
	began := in.cfg.Clock.Now()
	for {
		var found []client.Topic
		var missing []string
		err := in.retry(ctx, "topics", func() (err error) {
			found, missing, err = in.topics(ctx, names)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("worker: application %s: %w", in.cfg.App, err)
		}
		if len(missing) == 0 {
			counts := make(topology.Counts, len(found))
			for _, t := range found {
				counts[t.Name] = int(t.Partitions)
			}
			return counts, nil
		}
		waited := in.cfg.Clock.Now().Sub(began)
		if waited >= in.cfg.TopicTimeout {
			return nil, &MissingTopicsError{in.cfg.App, missing, waited.Round(time.Second)}
		}
		in.log.warn("waiting for topics that don't exist yet", "topics", missing)
		if err := in.sleep(ctx, min(time.Second, in.cfg.TopicTimeout-waited)); err != nil {
			return nil, err
		}
	}
}

// stateOnDisk lists the tasks of which there is a database here, in use or not.
// How much is in those that aren't can't be told without opening them, and it
// hardly matters: whoever has some has less to restore than who has none.
func (in *Instance) stateOnDisk() []assign.State {
	if in.cfg.StateDir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(in.cfg.StateDir, in.cfg.App))
	if err != nil {
		return nil // there is none yet
	}
	var out []assign.State
	for _, e := range entries {
		var t assign.Task
		if n, err := fmt.Sscanf(e.Name(), "%d_%d", &t.Sub, &t.Partition); n == 2 && err == nil && e.IsDir() {
			out = append(out, assign.State{Task: t})
		}
	}
	return out
}

// sleep returns after d, or with the context's error when it is done.
func (in *Instance) sleep(ctx context.Context, d time.Duration) error {
	t := in.cfg.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retry calls f until it succeeds, ctx is done, or it fails for a reason that
// won't pass.
func (in *Instance) retry(ctx context.Context, what string, f func() error) error {
	for n := 1; ; n++ {
		err := f()
		switch {
		case err == nil || !client.Transient(err):
			return err
		case ctx.Err() != nil: // which is why it is given up, rather than err
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		in.log.warn("no answer from the brokers, asking again", "for", what, "error", err)
		if err := in.sleep(ctx, min(time.Duration(n)*100*time.Millisecond, 2*time.Second)); err != nil {
			return err
		}
	}
}

// ends asks for the ends of partitions until there is an answer.
func (in *Instance) ends(ctx context.Context, tps []record.TopicPartition) (ends map[record.TopicPartition]int64, err error) {
	err = in.retry(ctx, "ends of partitions", func() error {
		ends, err = in.client.Ends(ctx, tps)
		return err
	})
	return ends, err
}
