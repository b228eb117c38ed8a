package task

import "time"

// # Time without records
//
// Stream time moves with records. Two things may move it without one: inputs that
// have been silent for longer than the user allows, for which the wall clock
// counts on from the last record; and what the tasks before a repartition topic
// tell of their own stream times. Nodes that close windows are told, so that
// results come though no record does.

// OnTime adds a function of a node that is called when stream time moves on
// without a record; the node then does what a record of that time would make it
// do, and nothing else.
func (t *Task) OnTime(f func(ms int64) error) { t.onTime = append(t.onTime, f) }

// ObserveTime moves the task's stream time on, but not that of its nodes, and
// fires the punctuations that are due by it.
func (t *Task) ObserveTime(ms int64) error {
	t.streamTime = max(t.streamTime, ms)
	t.stats.StreamTime.Store(t.streamTime)
	if t.streamTime >= t.nextStream {
		return t.punctuateStream()
	}
	return nil
}

// MoveTime moves the stream time of the task and of its nodes on.
func (t *Task) MoveTime(ms int64) (err error) {
	if ms <= t.streamTime {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r), 0)
		}
	}()
	t.meta.Topic, t.meta.Partition, t.meta.Offset, t.meta.Headers = "", -1, -1, nil
	for _, f := range t.onTime {
		if err := f(ms); err != nil {
			return t.failed(err, 0)
		}
	}
	if t.teller != nil {
		t.teller.moved = true
	}
	return t.ObserveTime(ms)
}

// idle is what a task knows of its inputs' silence.
type idle struct {
	last int64 // wall clock at the last record
	base int64 // stream time then, -1 before the first
}

// watchIdle schedules the looks at inputs that may move time by being silent.
// Unless all of them may, none does: a record of the others could still come.
func (t *Task) watchIdle() {
	var shortest time.Duration
	for _, in := range t.inputs {
		if in.idle <= 0 {
			return
		}
		if d := time.Duration(in.idle) * time.Millisecond; shortest == 0 || d < shortest {
			shortest = d
		}
	}
	if shortest == 0 {
		return
	}
	t.idle = &idle{last: t.Now().UnixMilli(), base: -1}
	for _, in := range t.inputs {
		in.active = t.idle.last
	}
	t.Schedule(max(shortest/4, 10*time.Millisecond), true, t.lookIdle)
}

// took notes that inputs were active, by the end of a step.
func (t *Task) took() {
	now := t.Now().UnixMilli()
	t.idle.last, t.idle.base = now, t.streamTime
	for _, in := range t.inputs {
		if in.noted != in.next {
			in.noted, in.active = in.next, now
		}
	}
}

func (t *Task) lookIdle(now int64) error {
	if t.Unsettled() > 0 {
		return nil // a record is still on its way through the nodes
	}
	for _, in := range t.inputs {
		if in.count > 0 || now-in.active < in.idle {
			return nil
		}
	}
	if t.idle.base < 0 {
		t.idle.base = t.streamTime // of the last commit, after a restart
	}
	if t.idle.base < 0 {
		return nil // there was never a record
	}
	return t.MoveTime(t.idle.base + now - t.idle.last)
}
