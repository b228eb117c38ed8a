package partition

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
)

// filter copies the batches of a group of segments into one, without the
// records that compaction drops.
type filter struct {
	r    *round
	into *segment.Segment
	end  int64 // offset after the group's last record
	kept []batch.Record
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
	if h.BaseOffset >= f.r.to || h.Attributes.Has(batch.Control) {
		return f.append(b, h)
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
	n := *h
	if mark {
		n.Attributes |= batch.HasDeleteHorizon
		n.BaseTimestamp = f.r.now + f.r.c.DeleteRetention.Milliseconds()
	}
	var err error
	if f.out, err = batch.Append(f.out[:0], n, f.kept); err != nil {
		return err
	}
	if n, err = batch.Parse(f.out); err != nil {
		return err
	}
	return f.append(f.out, &n)
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
// a producer, by which its next is judged after a restart, and the last of
// the group, which tells how far the segment goes.
func (f *filter) needed(h *batch.Header) bool {
	if h.NextOffset() == f.end {
		return true
	}
	last, known := f.r.last[h.ProducerID]
	return h.Idempotent() && known && last == h.LastOffset()
}

func (f *filter) append(b []byte, h *batch.Header) error {
	f.r.done.BytesKept += int64(len(b))
	f.r.done.RecordsKept += int64(h.Count)
	return f.into.Append(slices.Clip(b), h)
}
