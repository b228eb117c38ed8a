package worker

import (
	"slices"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// # Order behind repartition topics
//
// What a task needs to wait for slower ones before a repartition topic, and to tell
// those behind it how far it is, is said in package task. Here is who they are, and
// when they tell.

// peers are the tasks that write to a repartition topic, by its name, and feeds the
// partitions of those that a sub-topology writes to.
type orders struct {
	peers map[string][]task.ID
	feeds map[int]map[string]int32
}

func newOrders(l *layout) orders {
	o := orders{peers: map[string][]task.ID{}, feeds: map[int]map[string]int32{}}
	for t, writers := range topology.Writers(l.subs) {
		name := t.Physical(l.app)
		for _, sub := range writers {
			for n := range sub.Tasks(l.app, l.counts) {
				o.peers[name] = append(o.peers[name], task.ID{Sub: sub.Index, Partition: int32(n)})
			}
			if o.feeds[sub.Index] == nil {
				o.feeds[sub.Index] = map[string]int32{}
			}
			o.feeds[sub.Index][name] = int32(l.counts[name])
		}
		if len(o.peers[name]) < 2 {
			// One task alone writes in its own order.
			delete(o.peers, name)
			for _, sub := range writers {
				delete(o.feeds[sub.Index], name)
			}
		}
	}
	return o
}

// topics are those in which an order is kept.
func (o *orders) topics() []string {
	var names []string
	for name := range o.peers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// tell lets a task tell how far it is, once it is known whether it has caught up
// with its inputs.
func (w *worker) tell(u *unit) error {
	if u.task.Behind() && w.caughtUp(u) {
		u.task.CaughtUp()
	}
	return u.task.Tell()
}

// caughtUp reports whether nothing is left on the inputs of a task. It asks the
// broker where that isn't known.
func (w *worker) caughtUp(u *unit) bool {
	var doubt []int
	for i := range u.inputs {
		if u.task.Buffered(i) > 0 {
			return false
		}
		f := &u.figures[i]
		if end := f.end.Load(); end < 0 || f.position.Load() < end {
			doubt = append(doubt, i)
		}
	}
	if len(doubt) == 0 {
		return true
	}
	w.ask(u, func(yield func(int)) {
		for _, i := range doubt {
			yield(i)
		}
	})
	return false
}
