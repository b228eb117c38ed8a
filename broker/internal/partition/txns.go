package partition

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
)

// TxnVersion is the transaction protocol that a client speaks.
type TxnVersion uint8

const (
	// TxnV1 is the first: the client adds partitions to its transaction before
	// it writes to them, and keeps its epoch over many transactions.
	TxnV1 TxnVersion = 1
	// TxnV2 is that of KIP-890: writing adds the partition, and each end of a
	// transaction takes the next epoch.
	TxnV2 TxnVersion = 2
)

// Guard names one attempt to begin a transaction in a log. 0 is none.
type Guard uint64

// attempt is a producer's wish to begin a transaction here, which the
// coordinator is being asked about. Should a marker come before the answer
// does, the attempt is over and the answer worthless.
type attempt struct {
	guard    Guard
	version  TxnVersion
	epoch    int16
	firstSeq int32 // the lowest that came: a higher one must not pass it
	at       int64 // milliseconds
}

// txn is a transaction that the last stable offset waits for: it is open, or
// the high watermark has not passed its marker yet.
type txn struct {
	producer int64
	first    int64
	marker   int64 // offset; -1 while the transaction is open
}

// firstUnstable is the first offset of all transactions in txns.
func (ps *producers) firstUnstable() (int64, bool) {
	if len(ps.txns) == 0 {
		return 0, false
	}
	return ps.txns[0].first, true
}

// begin notes that a producer's transaction begins at an offset.
func (ps *producers) begin(id int64, p *producer, first int64) {
	p.txnStart = first
	ps.txns = append(ps.txns, txn{producer: id, first: first, marker: -1})
}

// end notes the marker of a producer's transaction. It returns the transaction
// that has ended, and the offset before which no other is open.
func (ps *producers) end(h *batch.Header, m batch.Marker, now int64) (first, stable int64, found bool) {
	p := ps.of(h)
	p.usedAt, p.lastAt, p.coordinatorEpoch = now, h.MaxTimestamp, m.CoordinatorEpoch
	if a := ps.attempts[h.ProducerID]; a != nil && !(a.version == TxnV2 && a.epoch == h.ProducerEpoch) {
		// Except for the next transaction of a client that has the new epoch.
		delete(ps.attempts, h.ProducerID)
	}
	if p.txnStart < 0 {
		return 0, 0, false
	}
	first, stable = p.txnStart, h.NextOffset()
	p.txnStart = -1
	for i := range ps.txns {
		if t := &ps.txns[i]; t.marker < 0 && t.producer == h.ProducerID {
			t.marker = h.BaseOffset
		} else if t.marker < 0 {
			stable = min(stable, t.first)
		}
	}
	return first, stable, true
}

// passed forgets the transactions whose marker is below the high watermark,
// and reports whether there were any.
func (ps *producers) passed(hw int64) bool {
	n := len(ps.txns)
	ps.txns = slices.DeleteFunc(ps.txns, func(t txn) bool { return t.marker >= 0 && t.marker < hw })
	return len(ps.txns) < n
}

// reopen finds the open transactions in a state that was read from a snapshot.
func (ps *producers) reopen() {
	for id, p := range ps.m {
		if p.txnStart >= 0 {
			ps.txns = append(ps.txns, txn{producer: id, first: p.txnStart, marker: -1})
		}
	}
	slices.SortFunc(ps.txns, func(a, b txn) int { return int(min(max(a.first-b.first, -1), 1)) })
}

// checkTxn tells whether a data batch fits the state of its producer's
// transaction. Nothing that belongs to one may be written unless the
// coordinator knows that it has begun here: it could never be ended.
func (ps *producers) checkTxn(h *batch.Header, g Guard) error {
	if !h.Attributes.Has(batch.Transactional) {
		return nil
	}
	p := ps.m[h.ProducerID]
	switch {
	case p != nil && p.txnStart >= 0 && p.epoch == h.ProducerEpoch:
		return nil
	case p != nil && h.ProducerEpoch < p.epoch:
		return staleEpoch(h, p)
	}
	if a := ps.attempts[h.ProducerID]; a == nil || a.guard != g {
		return batch.Errorf(kerr.InvalidTxnState, "the batch of producer %d is not part of an ongoing transaction", h.ProducerID)
	}
	return nil
}

// BeginTxn is asked before the first batch of a producer's transaction is
// appended, with the sequence number it begins with. If needed, the
// coordinator has to confirm that the partition belongs to the transaction,
// and the guard goes with the append; otherwise the transaction has begun here
// already. An error carries a code for the client.
func (l *Log) BeginTxn(id int64, epoch int16, seq int32, v TxnVersion) (g Guard, needed bool, err error) {
	now := l.clock.Now().UnixMilli()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return 0, false, err
	}
	ps := l.producers
	if p := ps.m[id]; p != nil && epoch < p.epoch {
		return 0, false, l.wrap(staleEpoch(&batch.Header{ProducerID: id, ProducerEpoch: epoch}, p))
	} else if p != nil && p.epoch == epoch && p.txnStart >= 0 {
		return 0, false, nil
	}
	a := ps.attempts[id]
	if a == nil {
		if !ps.roomForAttempt(now) {
			return 0, false, l.wrap(batch.Errorf(kerr.NotEnoughReplicas, "%d producers wait to begin transactions; try again later", len(ps.attempts)))
		}
		ps.lastGuard++
		a = &attempt{guard: ps.lastGuard, version: v, epoch: epoch, firstSeq: seq}
		ps.attempts[id] = a
	}
	a.at = now
	switch {
	case epoch > a.epoch:
		a.epoch, a.firstSeq = epoch, seq
	case epoch == a.epoch:
		a.firstSeq = min(a.firstSeq, seq)
	}
	return a.guard, true, nil
}

// Attempts that came to nothing are kept for some time, because of their
// sequence numbers, unless they are too many: producer ids are the client's to
// choose.
const (
	maxAttempts      = 10_000
	attemptTimeoutMS = 60_000
)

// roomForAttempt says whether another attempt may be remembered.
func (ps *producers) roomForAttempt(now int64) bool {
	if len(ps.attempts) < maxAttempts {
		return true
	}
	maps.DeleteFunc(ps.attempts, func(_ int64, a *attempt) bool { return a.at < now-attemptTimeoutMS })
	return len(ps.attempts) < maxAttempts
}

// TxnEnd is the end of a producer's transaction, as its coordinator decided.
type TxnEnd struct {
	ProducerID       int64
	Epoch            int16 // TxnV2: already the next one
	CoordinatorEpoch int32
	Outcome          batch.Outcome
	Version          TxnVersion
}

// EndTxn appends the marker that ends a producer's transaction. There need not
// be one: the marker then fences the producer's older epochs and no more. A
// marker of an older epoch, or of an older coordinator, is refused; with TxnV2,
// where each marker has an epoch of its own, so is one that comes again when
// the next transaction has begun.
func (l *Log) EndTxn(e TxnEnd) (Appended, error) {
	c := l.config.Load()
	now := l.clock.Now().UnixMilli()
	m := batch.Marker{Outcome: e.Outcome, CoordinatorEpoch: e.CoordinatorEpoch}
	b, err := batch.AppendMarker(nil, m, e.ProducerID, e.Epoch, now)
	if err != nil {
		return noWhere(), l.wrap(err)
	}
	h, err := batch.Parse(b)
	if err != nil {
		return noWhere(), l.wrap(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return noWhere(), err
	}
	if p := l.producers.m[e.ProducerID]; p != nil {
		if e.Epoch < p.epoch || e.Version == TxnV2 && e.Epoch == p.epoch && p.txnStart >= 0 {
			return noWhere(), l.wrap(staleEpoch(&h, p))
		}
		if e.CoordinatorEpoch < p.coordinatorEpoch {
			return noWhere(), l.wrap(batch.Errorf(kerr.TransactionCoordinatorFenced, "coordinator epoch %d after %d", e.CoordinatorEpoch, p.coordinatorEpoch))
		}
	}
	return l.write(b, &h, c, now)
}

func staleEpoch(h *batch.Header, p *producer) error {
	return batch.Errorf(kerr.InvalidProducerEpoch, "producer %d has epoch %d, the batch has %d: another instance took over", h.ProducerID, p.epoch, h.ProducerEpoch)
}
