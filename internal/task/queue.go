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
}

// Add queues records of an input, in offset order, that were fetched in a poll
// round. Rounds never decrease. The slice is the task's until it is recycled.
func (t *Task) Add(i int, recs []record.Record, round uint64) {
	if len(recs) == 0 {
		return
	}
	in := t.inputs[i]
	in.chunks = append(in.chunks, chunk{recs, round})
	in.count += len(recs)
	t.stats.Buffered.Add(int64(len(recs)))
}

// Confirm says that the broker held nothing more for an input when it was asked
// after the given poll round; the records of that round may then pass it.
func (t *Task) Confirm(i int, round uint64) {
	t.inputs[i].confirmed = max(t.inputs[i].confirmed, round)
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
	if len(t.inputs) == 1 {
		if in := t.inputs[0]; in.count > 0 {
			return in, false
		}
		return nil, false
	}
	var least int64
	for _, in := range t.inputs {
		if in.count == 0 {
			continue
		}
		if at := in.chunks[0].recs[in.at].Time; best == nil || at < least {
			best, least = in, at
		}
	}
	if best == nil || t.cfg.Eager {
		return best, false
	}
	round := best.chunks[0].round
	for _, in := range t.inputs {
		if in.count == 0 && in.confirmed < round {
			return nil, true
		}
	}
	return best, false
}

// head is the next record of a queue that is not empty.
func (in *input) head() *record.Record { return &in.chunks[0].recs[in.at] }

// pop drops the head; it returns a chunk that is used up by it, or nil.
func (in *input) pop() []record.Record {
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
		if in.next >= 0 {
			yield(in.tp, in.next, in.epoch)
		}
	}
}
