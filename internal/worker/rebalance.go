package worker

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/topic"
)

// subscription is what the leader is told about this instance.
func (in *Instance) subscription() []byte {
	s := assign.Subscription{
		Instance: in.cfg.Instance,
		Topology: in.layout.hash,
		Capacity: in.cfg.Workers,
		State:    in.stateOnDisk(),
	}
	return s.Append(nil)
}

// assign is called when this instance leads the group.
func (in *Instance) assign(members []client.Member, partitions map[string]int32) (map[string][]record.TopicPartition, error) {
	for topic, n := range partitions {
		if have := in.layout.counts[topic]; have != 0 && int(n) != have {
			in.log.warn("a topic has another number of partitions than when this instance started: the new ones aren't read before all instances are restarted", "topic", topic, "partitions", n, "before", have)
		}
	}
	plan, others, err := in.layout.assign(members)
	if len(others) > 0 {
		in.log.warn("instances with another topology get no tasks as long as there are some with this one", "instances", others)
	}
	if err == nil {
		in.cfg.Logger.Info("assigned tasks as leader of the group", "instances", len(plan), "tasks", len(in.layout.inputs))
	}
	return plan, err
}

// assigned takes note of partitions, and begins with tasks that are complete by
// them. Nothing is fetched of them before the task runs.
func (in *Instance) assigned(as []client.Assigned) {
	<-in.joined
	tps := make([]record.TopicPartition, len(as))
	for i, a := range as {
		tps[i] = a.TopicPartition
	}
	in.group.Pause(tps)
	if err := in.identity.note(in.group.Member()); err != nil {
		in.log.warn("the membership can't be noted: after a crash the group waits for the session timeout", "error", err)
	}
	in.mu.Lock()
	if in.closing {
		in.mu.Unlock()
		return
	}
	var missing []record.TopicPartition
	defer func() {
		if len(missing) > 0 {
			in.fail(fmt.Errorf("worker: application %s has committed nothing of %v, and is to begin only where it has (topic.FromCommitted): set the offsets, or let it begin elsewhere", in.cfg.App, missing))
		}
	}()
	for _, a := range as {
		id, ok := in.layout.owner[a.TopicPartition]
		if !ok {
			// It got partitions since this instance has started, or a leader
			// of a later version knows of more.
			in.log.warn("assigned a partition that belongs to no task of this topology", "partition", a.TopicPartition)
			continue
		}
		if a.Committed.Offset < 0 && in.layout.starts[a.Topic].From == topic.Committed {
			missing = append(missing, a.TopicPartition)
			continue
		}
		u := in.units[id]
		if u == nil {
			u = newUnit(in.alive, id, in.layout.subs[id.Sub], in.layout.inputs[id])
			in.units[id] = u
		}
		u.assigned[a.TopicPartition] = a
		if len(u.assigned) == len(u.inputs) && !u.started {
			u.started = true
			u.begin = maps.Clone(u.assigned)
			in.restorers.Go(func() { in.prepare(u) })
		}
	}
	in.mu.Unlock()
	in.updatePhase()
}

// revoked gives tasks up in order.
func (in *Instance) revoked(tps []record.TopicPartition) {
	<-in.joined
	units := in.take(tps)
	// Others wait for this, but not for ever: a member that takes too long is
	// thrown out, and then what it commits is refused.
	ctx, cancel := context.WithTimeout(in.alive, in.cfg.RebalanceTimeout*3/4)
	defer cancel()
	defer in.awaitEnd(ctx)
	if len(units) == 0 {
		return
	}
	began := in.cfg.Clock.Now()
	in.giveUp(ctx, units, true)
	in.dropUnwritten(units)
	in.cfg.Logger.Info("gave up tasks", "tasks", idsOf(units), "took", in.cfg.Clock.Now().Sub(began).Round(time.Millisecond))
	in.updatePhase()
}

// dropUnwritten sees to it that nothing of tasks that were given up is written later,
// when brokers can be reached again: it would overwrite, in changelogs and tables, what
// their next owners have written since. A batch that was tried once can't be taken back
// by itself, so all that isn't written goes, and the other tasks here begin again where
// they last committed.
func (in *Instance) dropUnwritten(units []*unit) {
	for _, u := range units {
		if u.session != nil && u.session.InFlight() > 0 {
			in.log.warn("tasks were given up with records that can't be written: what isn't written is dropped, and the tasks that are left begin again", "task", u.id)
			in.client.Abandon()
			return
		}
	}
}

// lost drops tasks that others may have by now.
func (in *Instance) lost(tps []record.TopicPartition) {
	<-in.joined
	units := in.take(tps)
	if len(units) == 0 {
		in.stopLeaving()
		return
	}
	in.cfg.Logger.Warn("lost tasks: this instance was away from the group for too long; what wasn't committed is processed again by others", "tasks", idsOf(units))
	for _, u := range units {
		u.cancel()
	}
	in.giveUp(in.alive, units, false)
	// All tasks are lost at once. Their new owners write to the same changelogs
	// and tables, and what is buffered here would overwrite that when it got
	// through at last: the state would be an old one after the next restore.
	in.client.Abandon()
	in.updatePhase()
}

// awaitEnd waits until all tasks are given up, if the instance is ending: those that
// were just revoked may be among them. To return earlier would have their last commit
// refused, and their next owners begin before it.
func (in *Instance) awaitEnd(ctx context.Context) {
	in.mu.Lock()
	closing := in.closing
	in.mu.Unlock()
	if !closing {
		return
	}
	select {
	case <-in.gaveUp:
	case <-ctx.Done():
	}
}

// stopLeaving is for an instance that loses its tasks while it gives them up at its
// end: others may have them by now.
func (in *Instance) stopLeaving() {
	in.mu.Lock()
	leaving := in.leaving
	in.mu.Unlock()
	select {
	case <-in.gaveUp:
		return
	default:
	}
	if len(leaving) == 0 {
		return
	}
	for _, u := range leaving {
		u.cancel()
	}
	in.client.Abandon()
}

// lapsed makes all tasks stop writing, before they can be dropped in lost.
func (in *Instance) lapsed() {
	in.mu.Lock()
	for _, u := range in.units {
		u.cancel()
	}
	in.mu.Unlock()
	in.client.Abandon()
}

// take removes the tasks that tps belong to, and returns them. A task's
// partitions move together; if one is left behind its records can't be
// processed and, as fetching them goes on, would be lost: that is fatal.
func (in *Instance) take(tps []record.TopicPartition) []*unit {
	var torn []*unit
	defer func() {
		for _, u := range torn {
			in.fail(fmt.Errorf("worker: task %s lost a part of its partitions (of %v): the group's leader shares out partitions rather than tasks", u.id, u.inputs))
		}
	}()
	in.mu.Lock()
	defer in.mu.Unlock()
	var units []*unit
	for _, tp := range tps {
		u := in.units[in.layout.owner[tp]]
		if u == nil {
			continue
		}
		if _, ok := u.assigned[tp]; !ok {
			continue
		}
		delete(u.assigned, tp)
		if !u.dropped {
			u.dropped = true
			units = append(units, u)
		}
	}
	for _, u := range units {
		delete(in.units, u.id)
		if len(u.assigned) > 0 && u.started {
			torn = append(torn, u)
		}
	}
	return units
}

// giveUp ends units, wherever they are, and returns when all are closed. When
// ctx is done it doesn't wait for commits any more.
func (in *Instance) giveUp(ctx context.Context, units []*unit, commit bool) {
	byWorker := make(map[*worker][]*unit)
	for _, u := range units {
		in.mu.Lock()
		w, started := u.worker, u.started
		in.mu.Unlock()
		switch {
		case w != nil:
			byWorker[w] = append(byWorker[w], u)
		case started:
			u.cancel()
			<-u.prepared
		default:
			u.cancel()
		}
	}
	var done []chan struct{}
	for w, us := range byWorker {
		c := make(chan struct{})
		done = append(done, c)
		w.box.call(func() {
			defer close(c)
			w.retire(ctx, us, commit)
		})
	}
	// A worker may be in the middle of a commit or a send that can't get
	// through, perhaps one for other tasks only. Then it is only free when what
	// it does counts no more.
	stop := context.AfterFunc(ctx, func() {
		for _, u := range units {
			u.cancel()
		}
		for w := range byWorker {
			w.interrupt()
		}
	})
	defer stop()
	for _, c := range done {
		<-c
	}
}

// closeUnit closes what belongs to a unit. It is called by whoever owns it.
func (in *Instance) closeUnit(u *unit) {
	u.closed = true
	u.cancel()
	if u.task != nil {
		if err := u.task.Close(); err != nil {
			in.log.warn("a task's state was not closed cleanly and may have to be restored", "task", u.id, "error", err)
		}
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if u.worker != nil {
		u.worker.load--
	}
	delete(in.running, u)
}

func idsOf(units []*unit) []task.ID {
	ids := make([]task.ID, len(units))
	for i, u := range units {
		ids[i] = u.id
	}
	return ids
}
