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
	m map[int64]*producer
}

func newProducers() *producers { return &producers{m: map[int64]*producer{}} }

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

// check tells whether the batch h of a client may follow what its producer
// sent before. A producer that is not known may begin with any sequence
// number: what it sent before may have been deleted.
func (ps *producers) check(h *batch.Header) error {
	p := ps.m[h.ProducerID]
	if p == nil {
		return nil
	}
	switch last := p.last(); {
	case h.ProducerEpoch < p.epoch:
		return batch.Errorf(kerr.InvalidProducerEpoch, "producer %d has epoch %d, the batch has %d: another instance took over", h.ProducerID, p.epoch, h.ProducerEpoch)
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

// note remembers a batch that is in the log, appended at now (milliseconds).
func (ps *producers) note(h *batch.Header, now int64) {
	if !h.Idempotent() {
		return
	}
	p := ps.m[h.ProducerID]
	if p == nil {
		p = &producer{epoch: h.ProducerEpoch}
		ps.m[h.ProducerID] = p
	}
	p.usedAt = now
	if h.ProducerEpoch != p.epoch {
		p.epoch, p.n = h.ProducerEpoch, 0
	}
	if h.Attributes.Has(batch.Control) {
		return // markers have no sequence numbers
	}
	p.push(sent{
		firstSeq:   h.BaseSequence,
		lastSeq:    h.LastSequence(),
		lastOffset: h.LastOffset(),
		delta:      h.LastOffsetDelta,
		timestamp:  h.MaxTimestamp,
	})
}

// expire forgets producers that were last heard of before the time (in
// milliseconds) and returns how many.
func (ps *producers) expire(before int64) int {
	n := 0
	for id, p := range ps.m {
		if p.usedAt < before {
			delete(ps.m, id)
			n++
		}
	}
	return n
}

// lastOffsets is where each producer's last batch ends.
func (ps *producers) lastOffsets() map[int64]int64 {
	m := make(map[int64]int64, len(ps.m))
	for id, p := range ps.m {
		if last := p.last(); last != nil {
			m[id] = last.lastOffset
		}
	}
	return m
}

// list describes all producers.
func (ps *producers) list() []Producer {
	all := make([]Producer, 0, len(ps.m))
	for id, p := range ps.m {
		d := Producer{
			ID: id, Epoch: p.epoch,
			LastSequence: -1, LastOffset: -1, LastTimestamp: -1,
			CoordinatorEpoch: -1, TxnStart: -1,
		}
		if last := p.last(); last != nil {
			d.LastSequence, d.LastOffset, d.LastTimestamp = last.lastSeq, last.lastOffset, last.timestamp
		}
		all = append(all, d)
	}
	return all
}
