package streamtest

import (
	"github.com/leatstream/leat/internal/minheap"
	"github.com/leatstream/leat/internal/record"
)

// LikeKafka runs the topology as Kafka Streams' TopologyTestDriver does: as one
// task with one stream time, whatever sub-topologies there are, which takes the
// record with the lowest timestamp among all topics. Without it each sub-topology
// has a task of its own, as in production.
func LikeKafka() Option { return func(d *Driver) { d.heads = &headQueue{d: d} } }

// headQueue is the inputs that hold records, by the timestamps of their first ones.
// Which of equal ones comes first is part of what is to be like: the heap's order is
// that of Java's PriorityQueue.
type headQueue struct {
	d     *Driver
	heads minheap.Heap[head]
}

type head struct {
	task  *running
	input int
	time  int64
}

// Before implements minheap.Ordered.
func (h head) Before(g head) bool { return h.time < g.time }

// add queues a record for a task.
func (q *headQueue) add(r *running, input int, rec record.Record) {
	empty := r.Buffered(input) == 0
	r.Add(input, []record.Record{rec}, 0)
	if empty {
		q.heads.Push(head{r, input, r.Pending(input, 0)})
	}
}

// step processes one record; it reports whether there was one.
func (q *headQueue) step() bool {
	if len(q.heads) == 0 {
		return false
	}
	d := q.d
	h := q.heads.Pop()
	if h.task.Buffered(h.input) > 1 {
		q.heads.Push(head{h.task, h.input, h.task.Pending(h.input, 1)})
	}
	d.check(h.task.StepInput(h.input))
	now := h.task.StreamTime()
	for _, r := range d.tasks {
		if r != h.task {
			d.check(r.ObserveTime(now))
		}
	}
	for _, r := range d.tasks {
		d.commit(r)
	}
	return true
}
