package coord

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// journal is the partition in which a shard stores what it has decided.
type journal struct {
	log *partition.Log
	end int64 // the offset after the last appended record
	buf []byte
}

// pair is a record of a machine; a nil value is a tombstone.
type pair struct {
	Key, Value []byte
}

// store appends records as one batch, whose header gives the producer if they
// belong to a transaction. It returns the offset of the first.
func store[R ~struct{ Key, Value []byte }](j *journal, now time.Time, h batch.Header, g partition.Guard, records []R) (int64, error) {
	if len(records) == 0 {
		return j.end, nil
	}
	recs := make([]batch.Record, len(records))
	for i, r := range records {
		p := pair(r)
		recs[i] = batch.Record{OffsetDelta: int32(i), Timestamp: now.UnixMilli(), Key: p.Key, Value: p.Value}
	}
	var err error
	if j.buf, err = batch.Append(j.buf[:0], h, recs); err != nil {
		return 0, err
	}
	done, err := j.log.Append(j.buf, partition.AppendArgs{Origin: partition.Coordinator, Guard: g})
	if err != nil {
		return 0, err
	}
	j.end = done.LastOffset + 1
	return done.BaseOffset, nil
}

// replay walks the partition. rec gets each record with its batch's header, and
// mark each marker; mark may be nil.
func (j *journal) replay(rec func(*batch.Header, batch.Record), mark func(*batch.Header, batch.Marker)) error {
	b := j.log.Bounds()
	for at := b.LogStart; at < b.HighWatermark; {
		r, err := j.log.Read(nil, at, 1<<20, partition.AtLeastOne)
		if err != nil {
			return fmt.Errorf("read at offset %d: %w", at, err)
		}
		if r.Size == 0 {
			break
		}
		at, err = replayBatches(r.Data, at, rec, mark)
		r.Release()
		if err != nil {
			return err
		}
	}
	j.end = b.LogEnd
	return nil
}

func replayBatches(data [][]byte, at int64, rec func(*batch.Header, batch.Record), mark func(*batch.Header, batch.Marker)) (int64, error) {
	for _, rest := range data {
		for len(rest) > 0 {
			h, first, tail, err := batch.Cut(rest)
			if err != nil {
				return at, fmt.Errorf("batch at offset %d: %w", at, err)
			}
			rest, at = tail, h.NextOffset()
			if h.Attributes.Has(batch.Control) {
				m, ok, err := batch.ParseMarker(first)
				if err != nil {
					return at, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
				}
				if ok && mark != nil {
					mark(&h, m)
				}
				continue
			}
			for r, err := range batch.All(first) {
				if err != nil {
					return at, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
				}
				rec(&h, r)
			}
		}
	}
	return at, nil
}
