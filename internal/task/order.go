package task

import (
	"encoding/binary"
	"time"

	"github.com/leatstream/leat/internal/record"
)

// # Event-time order behind a repartition topic
//
// A partition of a repartition topic is written by many tasks. While a backlog is
// worked off, one of them may be at December while another is still at May; who
// read their records as they come would close May's windows with December's first
// record, and call the rest of the year late. So a task that reads such a
// partition doesn't run ahead of the slowest task before it (a peer): records are
// held until every peer that works off a backlog has come as far, and are taken in
// the order in which the peers' stream times were when they wrote them. The peers
// tell how far they are by records of their own (see Progress). It is what Flink's
// watermarks do, but only as long as there is a backlog: a peer that has caught up
// with its inputs is not waited for, so it costs nothing when all have.
//
// The order is by stream time, not by the records' own times: a record that was
// late when its peer wrote it stays late. And none is taken back: a record that
// comes when a later one was taken already, while its peer was not waited for, has
// its place behind that one.
//
// What was taken is no longer a prefix of the partition. The offset to commit is
// that of the first record held; which ones behind it were taken is told by the
// last one's place in the order, and goes into the commit's metadata (mark, seen).

// place is where a record is in the order of its input.
type place struct{ at, offset int64 }

func (p place) before(q place) bool {
	return p.at < q.at || p.at == q.at && p.offset < q.offset
}

// order is the order of one input.
type order struct {
	peers []peer
	// waits is the lowest stream time of a peer that is waited for, never if
	// there is none.
	waits int64
	held  backlog
	flow  *Flow
	topic string
	last  place   // the highest place taken from held
	late  []int64 // offsets of held records that came after the last one's time
	seen  int64   // offset after the last record that was queued or held

	// Of the last commit before the task came here: records up to done, that
	// are in places up to mark, were processed then. All up to again had been
	// read, and are ordered anew before any is taken.
	mark  place
	done  int64
	again int64
}

// peer is a task that writes to the input.
type peer struct {
	id    ID
	state peerState
	time  int64 // its stream time, milliseconds; -1 at first
	heard int64 // wall clock
}

type peerState uint8

const (
	unheard peerState = iota // since its first record may be anything, it is waited for
	behind                   // it works off a backlog, and is waited for
	live                     // it has caught up
)

// newOrder is nil where there is nobody to wait for.
func newOrder(topic string, peers []ID, flow *Flow, now int64) *order {
	if len(peers) == 0 || flow == nil {
		return nil
	}
	o := &order{topic: topic, waits: -1, flow: flow, last: place{-1, -1}, mark: place{-1, -1}}
	for _, id := range peers {
		o.peers = append(o.peers, peer{id: id, time: -1, heard: now})
	}
	return o
}

// arrange holds what must wait, takes out what isn't the user's or was processed
// before, and returns the rest, in the same memory.
func (in *input) arrange(recs []record.Record, round uint64, now int64) []record.Record {
	o := in.order
	kept := recs[:0]
	for i := range recs {
		r := &recs[i]
		if o.waits != never || !o.held.empty() || r.Offset+1 <= o.again {
			in.hold(recs[i:], i == 0, round, now)
			break
		}
		if o.wanted(r, now) {
			trimStamp(r)
			kept = append(kept, *r)
		}
	}
	return kept
}

// wanted reports whether a record is one to process. It takes in what peers say.
func (o *order) wanted(r *record.Record, now int64) bool {
	o.seen = r.Offset + 1
	if m, ok := progressOf(r); ok {
		o.hear(m, now)
		return false
	}
	return r.Offset >= o.done || o.mark.before(place{writtenAt(r), r.Offset})
}

// hear takes in what a peer tells of itself.
func (o *order) hear(m Progress, now int64) {
	for i := range o.peers {
		p := &o.peers[i]
		if p.id != m.ID {
			continue
		}
		p.heard = now
		p.time = max(p.time, m.Time)
		p.state = behind
		if m.Live {
			p.state = live
		}
	}
	o.recompute()
}

func (o *order) recompute() {
	o.waits = never
	for _, p := range o.peers {
		if p.state != live {
			o.waits = min(o.waits, p.time)
		}
	}
	if w := o.flow.waits[o.topic]; w != nil {
		w.Store(o.waits)
	}
}

// exhausted reports whether all is taken of what lies before the last word of the
// peers: only then do their times hold for the records to come. What was recalled
// of them may be from behind records that have yet to be read again.
func (in *input) exhausted() bool { return in.count == 0 && in.order.seen >= in.order.again }

// reached is the stream time that all peers have come to, live or not.
func (o *order) reached() int64 {
	least := int64(never)
	for _, p := range o.peers {
		least = min(least, p.time)
	}
	return least
}

// How long a peer may be silent before it isn't waited for any more: one that was
// never heard may be of a version that doesn't tell, one that was is restoring or
// has no instance.
const (
	unheardWait = 30 * time.Second
	silentWait  = 2 * time.Minute
)

// forget stops waiting for peers that have been silent for too long, and returns
// one of them.
func (o *order) forget(now int64) (lost ID, any bool) {
	for i := range o.peers {
		p := &o.peers[i]
		wait := silentWait
		if p.state == unheard {
			wait = unheardWait
		}
		if p.state != live && now-p.heard > wait.Milliseconds() {
			p.state = live
			lost, any = p.id, true
		}
	}
	if any {
		o.recompute()
	}
	return lost, any
}

// ready reports whether the first held record may be taken. More than may be held
// is let go, out of its turn.
func (o *order) ready() bool {
	return o.seen >= o.again && (o.held.first().at <= o.waits || o.flow.full())
}

// barrier is the earliest place that a record could have which isn't ready.
func (o *order) barrier() int64 {
	if o.seen < o.again {
		return -1
	}
	if !o.held.empty() {
		return min(o.waits, o.held.first().at)
	}
	return o.waits
}

// take drops the first held record, and returns what can be given back then.
func (o *order) take() []record.Record {
	p := o.held.first()
	if p.at > o.waits {
		o.flow.over.Add(1)
	}
	if o.last.before(p) {
		o.last = p
	}
	if len(o.late) > 0 && o.late[0] == p.offset {
		o.late = o.late[1:]
	}
	before := o.held.bytes
	used := o.held.pop()
	o.flow.held.Add(o.held.bytes - before)
	return used
}

// first is the offset of the first record that was not taken.
func (o *order) first() int64 { return o.held.earliest(o.seen) }

// settledTo is the offset up to which the last place tells what was taken, by the
// times of the records. Those that came late are taken in the order of their
// offsets, and nothing behind the first of them has been taken before it.
func (o *order) settledTo() int64 {
	if len(o.late) > 0 {
		return o.late[0]
	}
	return o.seen
}

// drop gives back what the held records count for.
func (o *order) drop() {
	o.flow.held.Add(-o.held.bytes)
	o.held, o.late = backlog{}, nil
}

// HeaderAt is the stream time of the task that wrote a record to a repartition
// topic, as a varint, where it isn't the record's own time.
const HeaderAt = "leat.at"

// writtenAt is the stream time at which a record was written.
func writtenAt(r *record.Record) int64 {
	if at, ok := stampOf(r); ok {
		return at
	}
	return r.Time
}

// trimStamp takes the header away that says when a record was written.
func trimStamp(r *record.Record) {
	if _, ok := stampOf(r); ok {
		r.Headers = r.Headers[:len(r.Headers)-1]
	}
}

func stampOf(r *record.Record) (at int64, ok bool) {
	n := len(r.Headers)
	if n == 0 || r.Headers[n-1].Key != HeaderAt {
		return 0, false
	}
	at, size := binary.Varint(r.Headers[n-1].Value)
	return at, size > 0
}
