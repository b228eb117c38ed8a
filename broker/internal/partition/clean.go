package partition

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
)

// Clean is a round of compaction, if the topic wants it and enough of the log
// is new since the last: of each key only the last record is kept, and
// tombstones go delete.retention.ms after the round that first met them.
//
// A round has two passes. The first walks the new part and remembers the last
// offset of each key. The second copies all segments up to there without what
// is superseded, a group of small ones into one, and puts the copies in their
// place. Offsets never change; only full segments are touched, which are on
// the disk and below the high watermark. Reads and appends go on.
func (l *Log) Clean(now time.Time) (Cleaned, error) {
	l.clean.Lock()
	defer l.clean.Unlock()
	c := l.config.Load()
	if !c.Compact {
		return Cleaned{}, nil
	}
	ms := now.UnixMilli()
	if err := l.prepareClean(c, ms); err != nil {
		return Cleaned{}, err
	}
	r := &round{l: l, c: c, now: ms}
	if !r.choose() {
		return r.done, nil
	}
	if err := r.run(); err != nil {
		return r.done, l.wrap(fmt.Errorf("compaction: %w", err))
	}
	return r.done, l.purge(ms)
}

// prepareClean rolls a segment that has waited for too long, and makes the
// full ones durable.
func (l *Log) prepareClean(c *Config, now int64) error {
	l.mu.Lock()
	err := l.usable()
	if s := l.active(); err == nil && s.Size() > 0 && l.hw == l.end && overdue(s, c, now) {
		err = l.roll()
	}
	// The journal may hold what lies beyond the recovery point, and would write it
	// again after a crash: it must not be changed.
	dirty := len(l.unsynced) > 0 || l.recovery < l.synced.offset
	l.mu.Unlock()
	if err == nil && dirty {
		err = l.flush(rolledSegments)
	}
	return err
}

// overdue reports whether a segment has records that max.compaction.lag.ms
// does not allow to stay as they are.
func overdue(s *segment.Segment, c *Config, now int64) bool {
	first := s.FirstTimestamp()
	return c.MaxCompactionLag >= 0 && first >= 0 && now-first > c.MaxCompactionLag.Milliseconds()
}

// round is one run of compaction.
type round struct {
	l    *Log
	c    *Config
	now  int64              // milliseconds
	segs []*segment.Segment // all that may be rewritten
	from int64              // the first offset whose keys were not looked at
	to   int64              // the offset after the last one that was
	keys *keyMap
	last map[int64]trace // of each producer
	// The aborted transactions of the log, and where the second pass is in
	// them: they may span groups.
	aborted []abortedTxn
	txns    *txnView
	done    Cleaned
}

// choose finds what may be compacted and whether that is worth it.
func (r *round) choose() bool {
	l := r.l
	l.mu.Lock()
	defer l.mu.Unlock()
	r.from = max(l.cleanedTo, l.segs[0].Base())
	var clean, dirty int64
	must := false
	for i, s := range l.segs[:len(l.segs)-1] {
		ts, _ := s.MaxTimestamp()
		unsynced := slices.Contains(l.unsynced, s)
		recent := millis(r.c.MinCompactionLag) > 0 && ts > r.now-millis(r.c.MinCompactionLag)
		if l.segs[i+1].Base() > min(l.lastStable(), l.recovery) || recent || unsynced {
			break
		}
		r.segs = append(r.segs, s)
		if s.Next() <= r.from {
			clean += s.Size()
			continue
		}
		dirty += s.Size()
		must = must || overdue(s, r.c, r.now)
	}
	if dirty == 0 {
		return false
	}
	r.done.DirtyRatio = float64(dirty) / float64(clean+dirty)
	r.last, r.aborted = l.producers.traces(), l.aborted
	return must || r.done.DirtyRatio >= r.c.MinDirtyRatio
}

// millis is a duration in milliseconds.
func millis(d time.Duration) int64 { return d.Milliseconds() }

func (r *round) run() error {
	r.keys = newKeyMap(max(r.c.MaxCompactionKeys, 1))
	if err := r.collect(); err != nil {
		return err
	}
	r.txns = newTxnView(r.aborted, r.segs[0].Base())
	for _, group := range r.groups() {
		if err := r.rewrite(group); err != nil {
			return err
		}
	}
	r.l.mu.Lock()
	r.l.cleanedTo = r.to
	r.l.mu.Unlock()
	r.done.CleanedTo = r.to
	return r.l.saveCheckpoint()
}

// errFull ends the first pass when the map has no room for another key; the
// rest is for the next round.
var errFull = errors.New("key map is full")

// collect is the first pass.
func (r *round) collect() error {
	r.to = r.from
	var txns *txnView
	for _, s := range r.segs {
		if s.Next() <= r.from {
			continue
		}
		if txns == nil {
			txns = newTxnView(r.aborted, s.Base())
		}
		err := r.each(s, func(b []byte, h *batch.Header) error { return r.meet(txns, b, h) })
		if errors.Is(err, errFull) {
			return nil
		}
		if err != nil {
			return err
		}
		r.to = s.Next()
	}
	return nil
}

// meet takes a batch of the first pass. What was aborted supersedes nothing.
func (r *round) meet(txns *txnView, b []byte, h *batch.Header) error {
	if h.Attributes.Has(batch.Control) {
		if m, ok, err := batch.ParseMarker(b); err != nil {
			return err
		} else if ok {
			txns.marker(h, m)
		}
		return nil
	}
	aborted := txns.data(h)
	if h.LastOffset() < r.from {
		return nil
	}
	if !aborted {
		if err := r.collectBatch(b, h); err != nil {
			return err
		}
	}
	r.to = h.NextOffset()
	return nil
}

func (r *round) collectBatch(b []byte, h *batch.Header) error {
	var rd batch.Reader
	defer rd.Close()
	if err := rd.Reset(b, r.c.MaxDecompressedSize); err != nil {
		return err
	}
	for rd.Next() {
		rec := rd.Record()
		at := h.BaseOffset + int64(rec.OffsetDelta)
		if at < r.from || rec.Key == nil {
			continue
		}
		// The first batch always fits, so that a round gets on. Keys of a
		// batch that turns out not to fit do no harm: they only say that
		// older records are superseded, which is true.
		if !r.keys.put(rec.Key, at, r.to == r.from) {
			return errFull
		}
	}
	return rd.Err()
}

// each walks the batches of a segment and checks them: a damaged one must not
// be taken for a reason to drop records.
func (r *round) each(s *segment.Segment, do func([]byte, *batch.Header) error) error {
	next := s.Base()
	for sc := s.Scan(0); ; {
		if r.l.closing.Load() {
			return ErrClosed
		}
		h, pos, err := sc.Next()
		if err == io.EOF {
			return nil
		}
		var b []byte
		if err == nil {
			b, err = sc.Batch(&h)
		}
		if err == nil {
			err = batch.CheckCRC(b, &h)
		}
		if err == nil && h.BaseOffset < next {
			// The offset is not under the checksum.
			err = fmt.Errorf("%w: offset %d after %d", batch.ErrCorrupt, h.BaseOffset, next-1)
		}
		next = h.NextOffset()
		if err == nil {
			err = do(b, &h)
		}
		if err != nil {
			return fmt.Errorf("%s, position %d: %w", s.Path(), pos, err)
		}
	}
}

// groups puts neighbours together that fit into one segment.
func (r *round) groups() [][]*segment.Segment {
	var all [][]*segment.Segment
	var group []*segment.Segment
	var size int64
	for _, s := range r.segs {
		if s.Base() >= r.to {
			break
		}
		full := size+s.Size() > min(r.c.SegmentBytes, segment.MaxSize)
		if len(group) > 0 && (full || s.Next()-group[0].Base() > segment.MaxSize) {
			all = append(all, group)
			group, size = nil, 0
		}
		group = append(group, s)
		size += s.Size()
	}
	if len(group) > 0 {
		all = append(all, group)
	}
	return all
}

// rewrite is the second pass over one group.
func (r *round) rewrite(group []*segment.Segment) error {
	into, err := segment.Create(r.l.segmentOptions(group[0].Base(), segment.CleanedSuffix))
	if err != nil {
		return err
	}
	f := &filter{r: r, into: into, end: group[len(group)-1].Next()}
	for _, s := range group {
		if err := r.each(s, f.batch); err != nil {
			return errors.Join(err, into.Remove())
		}
	}
	r.done.Segments += len(group)
	if err = f.saveIndex(); err == nil {
		err = r.swap(group, f)
	}
	if err != nil {
		return errors.Join(err, into.Close())
	}
	return nil
}

// swap puts the copy in the place of the group. From the moment its name ends
// in .swap, a restart would finish the job; before, it would forget the copy.
func (r *round) swap(group []*segment.Segment, f *filter) error {
	into := f.into
	if err := errors.Join(into.SaveIndexes(), into.Sync()); err != nil {
		return err
	}
	if err := into.Rename(segment.SwapSuffix); err != nil {
		return err
	}
	l := r.l
	if err := l.o.FS.SyncDir(l.o.Dir); err != nil {
		return err
	}
	l.mu.Lock()
	i := slices.Index(l.segs, group[0])
	l.segs = slices.Concat(l.segs[:i], []*segment.Segment{into}, l.segs[i+len(group):])
	l.replaceAborted(into.Base(), f.end, f.left)
	if first, ok := l.tail.first(); ok && first < f.end {
		// It has records that the index doesn't tell to be aborted any more.
		l.tail.drop()
	}
	l.mu.Unlock()
	l.retire(group, r.now, r.c)
	if err := into.Rename(""); err != nil {
		return err
	}
	into.Unload()
	return l.o.FS.SyncDir(l.o.Dir)
}
