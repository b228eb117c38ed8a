package partition

import (
	"cmp"
	"slices"

	"github.com/leatstream/leat/broker/internal/batch"
)

// txnView tells of each batch, on a walk over a log, what its transaction has
// come to. The walk has to meet all batches up to the last stable offset.
type txnView struct {
	ahead     []abortedTxn           // by first offset
	aborted   map[int64]*abortedWalk // by producer, those that the walk is in
	committed map[int64]bool         // producers of which it has met batches that stay
}

type abortedWalk struct {
	txn abortedTxn
	met bool // a batch of it, if only an empty one
}

// newTxnView begins a walk at an offset.
func newTxnView(all []abortedTxn, from int64) *txnView {
	v := &txnView{aborted: map[int64]*abortedWalk{}, committed: map[int64]bool{}}
	for _, a := range all {
		if a.last >= from {
			v.ahead = append(v.ahead, a)
		}
	}
	slices.SortFunc(v.ahead, func(a, b abortedTxn) int { return cmp.Compare(a.first, b.first) })
	return v
}

func (v *txnView) reach(offset int64) {
	for len(v.ahead) > 0 && v.ahead[0].first <= offset {
		a := v.ahead[0]
		v.ahead = v.ahead[1:]
		v.aborted[a.producer] = &abortedWalk{txn: a}
	}
}

// data is a batch without markers. It reports whether it was aborted.
func (v *txnView) data(h *batch.Header) bool {
	v.reach(h.LastOffset())
	if !h.Attributes.Has(batch.Transactional) {
		return false
	}
	if w := v.aborted[h.ProducerID]; w != nil {
		w.met = true
		return true
	}
	v.committed[h.ProducerID] = true
	return false
}

// marker is a marker. It reports whether batches of its transaction were met,
// and returns the transaction if that was aborted.
func (v *txnView) marker(h *batch.Header, m batch.Marker) (txn abortedTxn, met bool) {
	v.reach(h.LastOffset())
	if m.Outcome == batch.Commit {
		met = v.committed[h.ProducerID]
		delete(v.committed, h.ProducerID)
		return txn, met
	}
	if w := v.aborted[h.ProducerID]; w != nil {
		delete(v.aborted, h.ProducerID)
		return w.txn, w.met
	}
	return txn, false
}
