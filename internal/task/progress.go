package task

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/leatstream/leat/internal/record"
)

// Progress is what a task tells the tasks behind its repartition topics of itself:
// a record without a key and a value, in each partition, after all that the task
// has written there before.
type Progress struct {
	ID   ID
	Live bool  // it has caught up with its inputs
	Time int64 // its stream time, milliseconds, -1 at first
}

// HeaderProgress is the header that holds a Progress.
const HeaderProgress = "leat.progress"

// progressVersion is the first byte of the header's value.
const progressVersion = 1

func (p Progress) encode() []byte {
	b := []byte{progressVersion, 0}
	if p.Live {
		b[1] = 1
	}
	b = binary.AppendUvarint(b, uint64(p.ID.Sub))
	b = binary.AppendUvarint(b, uint64(p.ID.Partition))
	return binary.AppendVarint(b, p.Time)
}

// progressOf reads the Progress that a record is, if it is one. One that can't be
// read is told apart from the user's records all the same.
func progressOf(r *record.Record) (p Progress, is bool) {
	if r.Key != nil || r.Value != nil || len(r.Headers) != 1 || r.Headers[0].Key != HeaderProgress {
		return p, false
	}
	b := r.Headers[0].Value
	none := Progress{ID: ID{Sub: -1}}
	if len(b) < 2 || b[0] != progressVersion {
		return none, true
	}
	p.Live = b[1] == 1
	b = b[2:]
	sub, n := binary.Uvarint(b)
	if n <= 0 || sub > 1<<31 {
		return none, true
	}
	partition, m := binary.Uvarint(b[n:])
	if m <= 0 || partition > 1<<31-1 {
		return none, true
	}
	at, k := binary.Varint(b[n+m:])
	if k <= 0 {
		return none, true
	}
	p.ID, p.Time = ID{Sub: int(sub), Partition: int32(partition)}, at
	return p, true
}

// teller tells of a task's progress.
type teller struct {
	feeds map[string]int32 // the repartition topics it writes to, and their partitions
	names []string
	live  bool
	moved bool // its time was moved by silence
	told  Progress
	at    int64 // wall clock when it told last, -1 before
}

// How often a task tells of itself: while it works off a backlog no sooner, and
// without news no later.
const (
	tellAfter = 100 * time.Millisecond
	tellAgain = 5 * time.Second
)

func newTeller(feeds map[string]int32) *teller {
	if len(feeds) == 0 {
		return nil
	}
	s := &teller{feeds: feeds, at: -1}
	for name := range feeds {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
	return s
}

// Behind reports whether the task works off a backlog that the tasks behind its
// repartition topics wait for.
func (t *Task) Behind() bool { return t.teller != nil && !t.teller.live }

// CaughtUp says that the task has nothing left of what was on its inputs when it
// began.
func (t *Task) CaughtUp() {
	for _, in := range t.inputs {
		if in.order != nil && (in.order.waits != never || !in.order.held.empty()) {
			return // those before it haven't
		}
	}
	t.teller.live = true
}

// Tell writes how far the task is, if it is time. The worker calls it between
// steps.
func (t *Task) Tell() error {
	s := t.teller
	if s == nil {
		return nil
	}
	now := t.Now().UnixMilli()
	p := Progress{ID: t.cfg.ID, Live: s.live, Time: t.comeTo()}
	switch since := time.Duration(now-s.at) * time.Millisecond; {
	case s.at < 0 || p.Live != s.told.Live:
	case p.Live && !s.moved:
		return nil
	case p.Time == s.told.Time && (p.Live || since < tellAgain):
		return nil
	case since < tellAfter:
		return nil
	}
	s.told, s.at, s.moved = p, now, false
	headers := []record.Header{{Key: HeaderProgress, Value: p.encode()}}
	for _, name := range s.names {
		for partition := range s.feeds[name] {
			o := Outgoing{Topic: name, Partition: partition, Headers: headers, Time: max(p.Time, 0), Changelog: -1}
			if err := t.cfg.Out.Send(&o); err != nil {
				return t.failed(err, 0)
			}
		}
	}
	return nil
}

// comeTo is the time that no record of the task's will be written before, but for
// late ones: its stream time, or with nothing queued what its peers have come to.
func (t *Task) comeTo() int64 {
	if t.Unsettled() > 0 {
		return t.pending.earliest()
	}
	least := int64(never)
	for _, in := range t.inputs {
		if in.order == nil || !in.exhausted() {
			return t.streamTime
		}
		least = min(least, in.order.waits)
	}
	if least == never {
		return t.streamTime
	}
	return max(t.streamTime, least)
}

// stampOutgoing notes the stream time with a record for a repartition topic.
func (t *Task) stampOutgoing(o *Outgoing) {
	at := t.writeTime()
	if o.Time == at {
		return
	}
	if _, ok := t.teller.feeds[o.Topic]; ok {
		o.Headers = append(slices.Clip(o.Headers), record.Header{Key: HeaderAt, Value: binary.AppendVarint(nil, at)})
	}
}

// catchUpTime moves time on to what all peers have come to, when there is nothing
// left to take: their inputs may have fallen silent.
func (t *Task) catchUpTime() error {
	if t.Unsettled() > 0 {
		return nil
	}
	least := int64(never)
	for _, in := range t.inputs {
		if in.order == nil || !in.exhausted() {
			return nil
		}
		least = min(least, in.order.reached())
	}
	if least == never {
		return nil
	}
	return t.MoveTime(least)
}
