package task

import "github.com/leatstream/leat/internal/record"

// chunk is a slice of records that were fetched together.
type chunk struct {
	recs  []record.Record
	round uint64
}

// input is the queue of one source partition.
type input struct {
	tp     record.TopicPartition
	handle func(*record.Record) error

	chunks    []chunk // the first one is being read
	at        int     // next record of chunks[0]
	count     int     // records in all chunks
	confirmed uint64  // it was empty on the broker as of this round
	next      int64   // offset to commit: one past the last taken; -1 before
	epoch     int32
	stamps    *stamps // nil unless the records' times are the user's
	order     *order  // nil unless records wait for those of slower tasks

	first   bool  // it is to be read before others
	until   int64 // up to this offset, -1 while that isn't known
	emptied bool  // nothing was left of it since the task began

	idle   int64 // silence after which the wall clock moves time, ms; 0: never
	active int64 // wall clock at its last record
	noted  int64 // next, as of active
}

// Pending is the timestamp of the n-th record queued for an input.
func (t *Task) Pending(i, n int) int64 {
	in := t.inputs[i]
	n += in.at
	for _, c := range in.chunks {
		if n < len(c.recs) {
			return c.recs[n].Time
		}
		n -= len(c.recs)
	}
	return -1
}

// Add queues records of an input, in offset order, that were fetched in a poll
// round. Rounds never decrease. The slice is the task's until it is recycled. It
// returns how many were queued: some may be leat's own, or have been processed
// before.
func (t *Task) Add(i int, recs []record.Record, round uint64) int {
	if len(recs) == 0 {
		return 0
	}
	in := t.inputs[i]
	if in.stamps != nil {
		in.stampAll(recs)
	}
	before := in.count
	if in.order != nil {
		recs = in.arrange(recs, round, t.Now().UnixMilli())
	}
	if len(recs) > 0 {
		in.chunks = append(in.chunks, chunk{recs, round})
		in.count += len(recs)
	}
	t.stats.Buffered.Add(int64(in.count - before))
	return in.count - before
}

// Confirm says that the broker held nothing more for an input when it was asked
// after the given poll round; the records of that round may then pass it.
func (t *Task) Confirm(i int, round uint64) {
	in := t.inputs[i]
	in.confirmed = max(in.confirmed, round)
	in.emptied = in.emptied || in.count == 0
}

// Buffered is the number of records queued for an input.
func (t *Task) Buffered(i int) int { return t.inputs[i].count }

// Waiting reports whether the task holds records that it may not take yet,
// since an input with nothing queued is not confirmed to be empty. The worker
// then asks the broker about the inputs that Unconfirmed lists.
func (t *Task) Waiting() bool {
	_, blocked := t.choose()
	return blocked
}

// Unconfirmed calls yield with each input that has nothing queued, if the task
// has more than one.
func (t *Task) Unconfirmed(yield func(i int)) {
	if len(t.inputs) < 2 {
		return
	}
	for i, in := range t.inputs {
		if in.count == 0 {
			yield(i)
		}
	}
}

// choose is the input whose head has the lowest timestamp, the first of equal
// ones. It is nil where nothing is queued, or where an input is empty here but
// perhaps not on the broker: taking a record then would let luck decide which
// of two records comes first.
func (t *Task) choose() (best *input, blocked bool) {
	if t.only >= 0 {
		return t.inputs[t.only], false
	}
	if t.undrained > 0 {
		if in, wait, ok := t.chooseFirst(); ok {
			return in, wait
		}
	}
	if len(t.inputs) == 1 {
		if in := t.inputs[0]; in.ready() {
			return in, false
		}
		return nil, t.inputs[0].count > 0
	}
	least, barrier := int64(never), int64(never)
	holds := false
	for _, in := range t.inputs {
		if !in.ready() {
			if in.order != nil {
				barrier = min(barrier, in.order.barrier())
				holds = holds || in.count > 0
			}
			continue
		}
		if at := in.earliest(); best == nil || at < least {
			best, least = in, at
		}
	}
	switch {
	case best == nil:
		return nil, holds
	case t.cfg.Eager:
		return best, false
	case least > barrier:
		return nil, true
	}
	round := best.round()
	for _, in := range t.inputs {
		if in.count == 0 && in.confirmed < round {
			return nil, true
		}
	}
	return best, false
}

// ready reports whether there is a record that may be taken, as far as this input
// is concerned.
func (in *input) ready() bool {
	return in.count > 0 && (len(in.chunks) > 0 || in.order.ready())
}

// earliest is the time that the head of a ready input has among the inputs.
func (in *input) earliest() int64 {
	if len(in.chunks) == 0 {
		return in.order.held.first().at
	}
	return in.chunks[0].recs[in.at].Time
}

// round is the poll round of the head.
func (in *input) round() uint64 {
	if len(in.chunks) == 0 {
		return in.order.held.round()
	}
	return in.chunks[0].round
}

// head is the next record of a queue that is not empty.
func (in *input) head() *record.Record {
	if len(in.chunks) == 0 {
		r := in.order.held.head()
		trimStamp(r)
		return r
	}
	return &in.chunks[0].recs[in.at]
}

// pop drops the head; it returns a chunk that is used up by it, or nil.
func (in *input) pop() []record.Record {
	if len(in.chunks) == 0 {
		in.epoch = in.order.held.head().LeaderEpoch
		in.count--
		return in.order.take()
	}
	c := &in.chunks[0]
	in.next = c.recs[in.at].Offset + 1
	in.epoch = c.recs[in.at].LeaderEpoch
	in.at++
	in.count--
	if in.at < len(c.recs) {
		return nil
	}
	used := c.recs
	copy(in.chunks, in.chunks[1:])
	in.chunks[len(in.chunks)-1] = chunk{}
	in.chunks = in.chunks[:len(in.chunks)-1]
	in.at = 0
	return used
}

// Seek sets the offset that Offsets reports for an input of which nothing was
// taken yet: where the client began to read.
func (t *Task) Seek(i int, offset int64) { t.inputs[i].next = offset }

// Offsets calls yield with the offset to commit for each input of which
// something was taken or set by Seek.
func (t *Task) Offsets(yield func(tp record.TopicPartition, next int64, epoch int32)) {
	for _, in := range t.inputs {
		if in.order != nil && in.order.seen > 0 && len(in.chunks) == 0 {
			in.next = in.order.first()
		}
		if next, epoch := t.lowWater(in); next >= 0 {
			yield(in.tp, next, epoch)
		}
	}
}

// InputMetadata is what to commit with the offset of one input, behind Metadata.
func (t *Task) InputMetadata(tp record.TopicPartition) string {
	for _, in := range t.inputs {
		if in.tp == tp && in.order != nil {
			untaken := t.putOffFrom(in)
			if len(in.chunks) > 0 {
				untaken = min(untaken, in.head().Offset) // queued before others were held
			}
			return in.order.metadata(untaken)
		}
	}
	return ""
}

// putOffFrom is the offset of the first record of an input that is put off, never
// if there is none: it counts as not taken.
func (t *Task) putOffFrom(in *input) int64 {
	first := int64(never)
	if t.pending != nil {
		for p := t.pending.first; p != nil; p = p.next {
			if p.had && p.meta.Topic == in.tp.Topic {
				first = min(first, p.rec.Offset)
			}
		}
	}
	return first
}

// RecallInput takes back what was committed with the offset of input i.
func (t *Task) RecallInput(i int, metadata string) {
	t.Recall(metadata)
	if o := t.inputs[i].order; o != nil {
		o.recall(metadata, t.Now().UnixMilli())
	}
}

// Forget gives up waiting for tasks that have been silent for too long. The worker
// calls it while the task waits.
func (t *Task) Forget() {
	now := t.Now().UnixMilli()
	for _, in := range t.inputs {
		if in.order == nil {
			continue
		}
		if lost, any := in.order.forget(now); any {
			t.Logger().Warn("a task that writes here has been silent: going on without waiting for it, so records may come out of order",
				"task", t.cfg.ID, "topic", in.tp.Topic, "writer", lost)
		}
	}
}

// Orders reports whether the input waits for slower tasks, and so must be fetched
// however much of it is held.
func (t *Task) Orders(i int) bool {
	o := t.inputs[i].order
	return o != nil && (o.waits != never || o.seen < o.again)
}

// Ordering reports whether any input waits for slower tasks.
func (t *Task) Ordering() bool {
	for i := range t.inputs {
		if t.Orders(i) {
			return true
		}
	}
	return false
}
