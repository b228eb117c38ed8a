package streamtest

import "github.com/leatstream/leat/internal/record"

// LikeKafka runs the topology as Kafka Streams' TopologyTestDriver does: as one
// task with one stream time, whatever sub-topologies there are, which takes the
// record with the lowest timestamp among all topics. Without it each sub-topology
// has a task of its own, as in production.
func LikeKafka() Option { return func(d *Driver) { d.heads = &headQueue{d: d} } }

// headQueue is the inputs that hold records, as a binary heap by the timestamps of
// their first records. Which of equal ones comes first is part of what is to be
// like: it follows the textbook's heap in an array, as Java's PriorityQueue does.
type headQueue struct {
	d     *Driver
	heads []head
}

type head struct {
	task  *running
	input int
	time  int64
}

func (q *headQueue) offer(h head) {
	q.heads = append(q.heads, h)
	for i := len(q.heads) - 1; i > 0; {
		parent := (i - 1) / 2
		if q.heads[i].time >= q.heads[parent].time {
			return
		}
		q.heads[i], q.heads[parent] = q.heads[parent], q.heads[i]
		i = parent
	}
}

func (q *headQueue) poll() head {
	top, last := q.heads[0], len(q.heads)-1
	q.heads[0] = q.heads[last]
	q.heads = q.heads[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if child+1 < last && q.heads[child+1].time < q.heads[child].time {
			child++
		}
		if q.heads[i].time <= q.heads[child].time {
			return top
		}
		q.heads[i], q.heads[child] = q.heads[child], q.heads[i]
		i = child
	}
}

// add queues a record for a task.
func (q *headQueue) add(r *running, input int, rec record.Record) {
	empty := r.Buffered(input) == 0
	r.Add(input, []record.Record{rec}, 0)
	if empty {
		q.offer(head{r, input, r.Pending(input, 0)})
	}
}

// step processes one record; it reports whether there was one.
func (q *headQueue) step() bool {
	if len(q.heads) == 0 {
		return false
	}
	d := q.d
	h := q.poll()
	if h.task.Buffered(h.input) > 1 {
		q.offer(head{h.task, h.input, h.task.Pending(h.input, 1)})
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
