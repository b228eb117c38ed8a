package partition

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// filter copies the batches of a group of segments into one, without the
// records that compaction drops.
type filter struct {
	r    *round
	into *segment.Segment
	end  int64 // offset after the group's last record
	kept []batch.Record
	left []abortedTxn // what the index of transactions keeps
	out  []byte
}

// verdict is what becomes of a batch.
type verdict struct {
	dropped   bool // some records go
	tombstone bool // some that stay are tombstones
}

// batch copies one batch, or what is left of it.
func (f *filter) batch(b []byte, h *batch.Header) error {
	f.r.done.BytesRead += int64(len(b))
	f.r.done.RecordsRead += int64(h.Count)
	if h.Attributes.Has(batch.Control) {
		return f.marker(b, h)
	}
	aborted := f.r.txns.data(h)
	if h.BaseOffset >= f.r.to {
		return f.append(b, h)
	}
	if aborted {
		return f.empty(h)
	}
	var rd batch.Reader
	defer rd.Close()
	if err := rd.Reset(b, f.r.c.MaxDecompressedSize); err != nil {
		return err
	}
	v := f.judge(&rd, h)
	if err := rd.Err(); err != nil {
		return err
	}
	mark := v.tombstone && !h.Attributes.Has(batch.HasDeleteHorizon)
	switch {
	case !v.dropped && !mark && (h.Count > 0 || f.needed(h)):
		return f.append(b, h)
	case len(f.kept) == 0 && !f.needed(h):
		return nil
	}
	return f.rewrite(*h, f.kept, mark)
}

// rewrite appends a batch with other records, and if asked to gives it the
// horizon after which its tombstones, or its marker, may go.
func (f *filter) rewrite(h batch.Header, recs []batch.Record, mark bool) error {
	if mark {
		h.Attributes |= batch.HasDeleteHorizon
		h.BaseTimestamp = f.r.now + f.r.c.DeleteRetention.Milliseconds()
	}
	var err error
	if f.out, err = batch.Append(f.out[:0], h, recs); err != nil {
		return err
	}
	if h, err = batch.Parse(f.out); err != nil {
		return err
	}
	return f.append(f.out, &h)
}

// empty drops a batch, or leaves its header if that is needed.
func (f *filter) empty(h *batch.Header) error {
	if !f.needed(h) {
		return nil
	}
	return f.rewrite(*h, nil, false)
}

// marker copies a control batch. A marker may go only when all batches of its
// transaction have gone, and then not before delete.retention.ms are over: a
// reader that is in the middle of the transaction has to meet it.
func (f *filter) marker(b []byte, h *batch.Header) error {
	m, ok, err := batch.ParseMarker(b)
	switch {
	case err != nil:
		return err
	case !ok && h.Count > 0:
		return f.append(b, h) // it is about something else
	case !ok && h.BaseOffset < f.r.to:
		return f.empty(h)
	case !ok:
		return f.append(b, h)
	}
	txn, met := f.r.txns.marker(h, m)
	if met && m.Outcome == batch.Abort {
		f.left = append(f.left, txn)
	}
	switch marked := h.Attributes.Has(batch.HasDeleteHorizon); {
	case met || h.BaseOffset >= f.r.to:
		return f.append(b, h)
	case marked && h.BaseTimestamp <= f.r.now:
		return f.empty(h)
	case marked:
		return f.append(b, h)
	}
	for rec, err := range batch.All(b) {
		if err != nil {
			return err
		}
		return f.rewrite(*h, []batch.Record{rec}, true)
	}
	return nil
}

// saveIndex writes the copy's index of transactions, if those that it replaces
// had one. It is durable before the copy is.
func (f *filter) saveIndex() error {
	l, base := f.r.l, f.into.Base()
	if len(markedIn(f.r.aborted, base, f.end)) == 0 {
		return nil
	}
	return vfs.WriteAtomic(l.o.FS, l.txnIndexName(base, segment.CleanedSuffix), encodeAborted(f.left))
}

// judge sorts out the records of a batch into f.kept, whose bytes are the
// reader's.
func (f *filter) judge(rd *batch.Reader, h *batch.Header) verdict {
	var v verdict
	clear(f.kept)
	f.kept = f.kept[:0]
	// The base timestamp of a batch with a horizon is when its tombstones go.
	expired := h.Attributes.Has(batch.HasDeleteHorizon) && h.BaseTimestamp <= f.r.now
	for rd.Next() {
		rec := rd.Record()
		at := h.BaseOffset + int64(rec.OffsetDelta)
		switch {
		case at >= f.r.to:
		case rec.Key == nil,
			f.r.keys.superseded(rec.Key, at),
			rec.Value == nil && expired:
			v.dropped = true
			continue
		case rec.Value == nil:
			v.tombstone = true
		}
		f.kept = append(f.kept, *rec)
	}
	return v
}

// needed reports whether a batch must stay even without records: the last of
// a producer, by which its next is judged after a restart (or a marker, if
// that alone tells of its epoch), and the last of the group, which tells how
// far the segment goes.
func (f *filter) needed(h *batch.Header) bool {
	if h.NextOffset() == f.end {
		return true
	}
	last, known := f.r.last[h.ProducerID]
	switch {
	case !h.Idempotent() || !known:
		return false
	case last.lastOffset >= 0:
		return last.lastOffset == h.LastOffset()
	}
	return h.Attributes.Has(batch.Control) && last.epoch == h.ProducerEpoch
}

func (f *filter) append(b []byte, h *batch.Header) error {
	f.r.done.BytesKept += int64(len(b))
	f.r.done.RecordsKept += int64(h.Count)
	return f.into.Append(slices.Clip(b), h)
}
