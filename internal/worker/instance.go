package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Instance is one process's share of an application. Its methods are safe for
// concurrent use, but Run is called once.
type Instance struct {
	cfg Config
	log *throttle

	// alive is done when everything has ended, ctx when it begins to end.
	alive, ctx context.Context
	kill, stop context.CancelFunc

	identity *identity // nil without a state directory
	client   *client.Client
	layout   *layout
	globals  *globals
	group    *client.Group
	joined   chan struct{} // closed when group is set
	gaveUp   chan struct{} // closed when no task is left at the end
	workers  []*worker
	prober   *prober
	purge    *purger
	sizes    sizes
	orders   orders
	flow     *task.Flow

	restorers sync.WaitGroup
	turns     chan struct{} // holds a token for each task being restored

	wake  chan struct{} // holds a token when the poller should look again
	round atomic.Uint64 // number of the last poll that returned

	mu      sync.Mutex
	units   map[task.ID]*unit
	running map[*unit]bool
	closing bool    // no new tasks
	leaving []*unit // given up at the end
	phase   Phase
	failure error

	commits commitCounter
	process processCounter
}

// New checks the configuration and makes an instance. It doesn't connect.
func New(cfg Config) (*Instance, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	in := &Instance{
		cfg:     cfg,
		log:     newThrottle(cfg.Logger, cfg.Clock),
		joined:  make(chan struct{}),
		gaveUp:  make(chan struct{}),
		wake:    make(chan struct{}, 1),
		units:   make(map[task.ID]*unit),
		running: make(map[*unit]bool),
		turns:   make(chan struct{}, cfg.Workers),
		globals: &globals{},
	}
	in.alive, in.kill = context.WithCancel(context.Background())
	in.ctx, in.stop = context.WithCancel(in.alive)
	return in, nil
}

// Run starts the instance and returns when it has ended: nil after ctx was done
// and everything was committed, else what made it end. Tasks that didn't fail
// are committed in either case, and given to other instances at once.
func (in *Instance) Run(ctx context.Context) (err error) {
	defer context.AfterFunc(ctx, in.stop)()
	defer in.kill()
	defer in.setPhase(Stopped)
	defer func() {
		// What ended it counts, not what came of that.
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.failure != nil {
			err = in.failure
		} else if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = nil
		}
	}()
	if in.identity, err = claim(in.cfg.StateDir, in.cfg.App); err != nil {
		return err
	}
	defer in.identity.release()
	if in.client, err = client.Open(in.cfg.Client); err != nil {
		return err
	}
	defer in.client.Close()
	if err := in.start(); err != nil {
		return err
	}
	if err := in.openGlobals(in.ctx); err != nil {
		in.globals.close()
		return err
	}
	defer in.globals.close()
	unregister, err := in.measure()
	if err != nil {
		return fmt.Errorf("worker: metrics: %w", err)
	}
	defer unregister()
	if len(in.layout.topics) == 0 { // global tables only, or no topic matches yet: nothing to share
		close(in.joined)
		in.setPhase(Running)
		go in.watchTopics(in.ctx)
		in.globals.follow(in.ctx)
		<-in.ctx.Done()
		return nil
	}
	return in.work()
}

// work joins the group and runs tasks until the instance is to end.
func (in *Instance) work() error {
	var background, running sync.WaitGroup
	in.prober, in.purge = newProber(in), newPurger(in)
	for range min(in.cfg.Workers, max(len(in.layout.inputs), 1)) {
		in.workers = append(in.workers, newWorker(in))
	}
	in.setPhase(Joining)
	in.bury(in.ctx)
	if err := in.join(); err != nil {
		return err
	}
	for _, w := range in.workers {
		running.Go(func() { w.run(in.alive) })
	}
	background.Go(func() { in.prober.run(in.ctx) })
	background.Go(func() { in.purge.run(in.ctx) })
	background.Go(func() { in.globals.follow(in.ctx) })
	background.Go(func() { in.poll(in.ctx) })
	background.Go(func() { in.watchTopics(in.ctx) })
	<-in.ctx.Done()

	in.setPhase(Stopping)
	background.Wait()
	// A second context: the work to do at the end mustn't be cancelled by what
	// brought it about.
	ending, cancel := context.WithTimeout(in.alive, in.cfg.StopTimeout)
	defer cancel()
	in.giveUp(ending, in.takeAll(), true)
	close(in.gaveUp)
	in.restorers.Wait()
	err := in.group.Close(ending)
	for _, w := range in.workers {
		w.box.call(func() { w.quit = true })
	}
	running.Wait()
	if err != nil {
		in.cfg.Logger.Warn("left the group without a goodbye: others take over after the session timeout", "error", err)
		return nil
	}
	in.identity.left()
	return nil
}

// join makes the instance a member of the group.
func (in *Instance) join() error {
	defer close(in.joined)
	g, err := client.Join(in.cfg.Client, client.GroupConfig{
		Group: in.cfg.App, Topics: in.layout.topics, Reset: in.cfg.Reset, Starts: in.layout.starts,
		Assign: in.assign, UserData: in.subscription,
		OnAssigned: in.assigned, OnRevoked: in.revoked, OnLost: in.lost, OnLapsed: in.lapsed,
		SessionTimeout:    in.cfg.SessionTimeout,
		HeartbeatInterval: in.cfg.HeartbeatInterval,
		RebalanceTimeout:  in.cfg.RebalanceTimeout,
	})
	if err != nil {
		in.stop()
		return err
	}
	in.group = g
	return nil
}

// takeAll removes all tasks.
func (in *Instance) takeAll() []*unit {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closing = true
	var units []*unit
	for id, u := range in.units {
		u.dropped = true
		units = append(units, u)
		delete(in.units, id)
	}
	in.leaving = units
	return units
}

// fail ends the instance because of err; the first one is what Run returns.
func (in *Instance) fail(err error) {
	in.mu.Lock()
	first := in.failure == nil
	if first {
		in.failure = err
	}
	in.mu.Unlock()
	if first {
		in.cfg.Logger.Error("stopping because of a failure", "error", err)
	}
	in.stop()
}

// Status is what the instance is doing. It looks at the disk for the size of the
// state.
func (in *Instance) Status() Status {
	in.mu.Lock()
	s := Status{Phase: in.phase}
	var dbs []store.DB
	for _, u := range in.units {
		t := TaskStatus{ID: u.id, Restored: u.restored.Load(), RestoreTotal: u.total.Load()}
		var db store.DB
		if u.worker != nil {
			t.Running, t.Stats, db = true, u.task.Stats(), u.db
		}
		for i, tp := range u.inputs {
			f := &u.figures[i]
			t.Inputs = append(t.Inputs, InputStatus{tp, f.position.Load(), f.committed.Load(), f.end.Load()})
		}
		s.Tasks, dbs = append(s.Tasks, t), append(dbs, db)
	}
	in.mu.Unlock()
	for i, db := range dbs {
		if db != nil {
			s.Tasks[i].StateBytes = db.Size()
		}
	}
	return s
}

// Shards are the parts of a store that this instance holds now: those of its
// running tasks. A part may be closed at any time, when its task is given up.
func (in *Instance) Shards(name string) []Shard {
	in.mu.Lock()
	defer in.mu.Unlock()
	var out []Shard
	for u := range in.running {
		for _, s := range u.sub.Stores {
			if s.Name == name && s.Kind != topology.GlobalKV {
				out = append(out, Shard{u.id.Partition, u.db, u.task})
			}
		}
	}
	return out
}

// Globals are the global tables, by index as in Plan.Globals; none before they
// are complete.
func (in *Instance) Globals() []task.Global {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.phase < Joining {
		return nil
	}
	return in.globals.states
}
