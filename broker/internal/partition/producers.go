package partition

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
)

// recentBatches is how many batches of a producer are remembered. A producer
// has at most five requests in flight, so any it may send again is among them.
const recentBatches = 5

// sent is one remembered batch.
type sent struct {
	firstSeq, lastSeq int32
	lastOffset        int64
	delta             int32 // of the last offset from the base offset
	timestamp         int64 // largest of the batch, milliseconds
}

// producer is what is known of one producer id.
type producer struct {
	epoch  int16
	recent [recentBatches]sent // oldest first
	n      int
	// usedAt is when the producer last appended, by the broker's clock in
	// milliseconds: records may carry times of long ago.
	usedAt int64
	lastAt int64 // largest timestamp of its last batch or marker, milliseconds
	// The last marker's coordinator epoch, and the first offset of the open
	// transaction; -1 is none.
	coordinatorEpoch int32
	txnStart         int64
}

func (p *producer) last() *sent {
	if p.n == 0 {
		return nil
	}
	return &p.recent[p.n-1]
}

func (p *producer) push(s sent) {
	if p.n == recentBatches {
		copy(p.recent[:], p.recent[1:])
		p.n--
	}
	p.recent[p.n] = s
	p.n++
}

// producers is the state of all idempotent producers of a log. It is guarded
// by the log.
type producers struct {
	m         map[int64]*producer
	txns      []txn // by first offset
	attempts  map[int64]*attempt
	lastGuard Guard
}

func newProducers() *producers {
	return &producers{m: map[int64]*producer{}, attempts: map[int64]*attempt{}}
}

// of returns the producer of a batch in its epoch, made new if need be.
func (ps *producers) of(h *batch.Header) *producer {
	p := ps.m[h.ProducerID]
	if p == nil {
		p = &producer{epoch: h.ProducerEpoch, lastAt: -1, coordinatorEpoch: -1, txnStart: -1}
		ps.m[h.ProducerID] = p
	}
	if h.ProducerEpoch != p.epoch {
		p.epoch, p.n = h.ProducerEpoch, 0
	}
	return p
}

// duplicate returns the batch that h repeats, if it is still remembered.
func (ps *producers) duplicate(h *batch.Header) (sent, bool) {
	p := ps.m[h.ProducerID]
	if p == nil || p.epoch != h.ProducerEpoch {
		return sent{}, false
	}
	last := h.LastSequence()
	for _, s := range p.recent[:p.n] {
		if s.firstSeq == h.BaseSequence && s.lastSeq == last {
			return s, true
		}
	}
	return sent{}, false
}

// check tells whether a data batch may follow what its producer sent before.
// Sequence numbers are a client's only.
func (ps *producers) check(h *batch.Header, a AppendArgs) error {
	if err := ps.checkTxn(h, a.Guard); err != nil {
		return err
	}
	p := ps.m[h.ProducerID]
	if p != nil && h.ProducerEpoch < p.epoch {
		return staleEpoch(h, p)
	}
	if a.Origin == Client {
		if err := ps.checkSequence(h, p); err != nil {
			return err
		}
	}
	if p != nil && p.txnStart >= 0 && !h.Attributes.Has(batch.Transactional) {
		return batch.Errorf(kerr.InvalidTxnState, "producer %d has a transaction since offset %d, to which the batch does not belong", h.ProducerID, p.txnStart)
	}
	return nil
}

// checkSequence looks at a batch's sequence numbers; p is its producer. A
// producer that is not known may begin with any number, as what it sent before
// may have been deleted; but not in a transaction of the second protocol, and
// not behind a number that came before and is still to be written.
func (ps *producers) checkSequence(h *batch.Header, p *producer) error {
	if a := ps.attempts[h.ProducerID]; a != nil {
		if a.version == TxnV2 && h.BaseSequence != 0 && p == nil || h.BaseSequence > a.firstSeq {
			return batch.Errorf(kerr.OutOfOrderSequenceNumber, "producer %d begins its transaction here with sequence %d", h.ProducerID, h.BaseSequence)
		}
	}
	if p == nil {
		return nil
	}
	switch last := p.last(); {
	case h.ProducerEpoch > p.epoch:
		if h.BaseSequence != 0 {
			return batch.Errorf(kerr.OutOfOrderSequenceNumber, "producer %d begins epoch %d with sequence %d instead of 0", h.ProducerID, h.ProducerEpoch, h.BaseSequence)
		}
	case last == nil:
		if h.BaseSequence != 0 {
			return batch.Errorf(kerr.OutOfOrderSequenceNumber, "producer %d begins with sequence %d instead of 0", h.ProducerID, h.BaseSequence)
		}
	case h.BaseSequence != nextSequence(last.lastSeq):
		return batch.Errorf(kerr.OutOfOrderSequenceNumber, "producer %d, epoch %d: sequence %d does not follow %d", h.ProducerID, p.epoch, h.BaseSequence, last.lastSeq)
	}
	return nil
}

// nextSequence is the sequence number after seq; the largest int32 is
// followed by 0.
func nextSequence(seq int32) int32 { return int32((int64(seq) + 1) & 0x7fffffff) }

// note remembers a data batch that is in the log, appended at now
// (milliseconds).
func (ps *producers) note(h *batch.Header, now int64) {
	if !h.Idempotent() {
		return
	}
	p := ps.of(h)
	p.usedAt, p.lastAt = now, h.MaxTimestamp
	p.push(sent{
		firstSeq:   h.BaseSequence,
		lastSeq:    h.LastSequence(),
		lastOffset: h.LastOffset(),
		delta:      h.LastOffsetDelta,
		timestamp:  h.MaxTimestamp,
	})
	if !h.Attributes.Has(batch.Transactional) {
		return
	}
	delete(ps.attempts, h.ProducerID)
	if p.txnStart < 0 {
		ps.begin(h.ProducerID, p, h.BaseOffset)
	}
}

// expire forgets producers that were last heard of before the time (in
// milliseconds) and returns how many. Those with an open transaction stay.
func (ps *producers) expire(before int64) int {
	n := 0
	for id, p := range ps.m {
		if p.usedAt < before && p.txnStart < 0 {
			delete(ps.m, id)
			n++
		}
	}
	for id, a := range ps.attempts {
		if a.at < before {
			delete(ps.attempts, id)
		}
	}
	return n
}

// traces is what of each producer compaction must keep.
func (ps *producers) traces() map[int64]trace {
	m := make(map[int64]trace, len(ps.m))
	for id, p := range ps.m {
		t := trace{epoch: p.epoch, lastOffset: -1}
		if last := p.last(); last != nil {
			t.lastOffset = last.lastOffset
		}
		m[id] = t
	}
	return m
}

// trace is a batch that tells of a producer after a restart: the last with
// data, which ends at lastOffset, or, if that is -1, a marker of the epoch.
type trace struct {
	epoch      int16
	lastOffset int64
}

// list describes all producers.
func (ps *producers) list() []Producer {
	all := make([]Producer, 0, len(ps.m))
	for id, p := range ps.m {
		d := Producer{
			ID: id, Epoch: p.epoch,
			LastSequence: -1, LastOffset: -1, LastTimestamp: p.lastAt,
			CoordinatorEpoch: p.coordinatorEpoch, TxnStart: p.txnStart,
		}
		if last := p.last(); last != nil {
			d.LastSequence, d.LastOffset = last.lastSeq, last.lastOffset
		}
		all = append(all, d)
	}
	return all
}
