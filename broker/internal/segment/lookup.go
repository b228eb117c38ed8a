package segment

import (
	"fmt"
	"io"
	"math"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Floor is the position of a batch at or before the one that holds offset;
// at most about an index interval before it. It reads no batches.
func (s *Segment) Floor(offset int64) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return 0, err
	}
	return s.x.floor(offset - s.o.Base), nil
}

// Find returns the header and position of the first batch that has offset or
// a later one in it, if there is one.
func (s *Segment) Find(offset int64) (h batch.Header, pos int64, ok bool, err error) {
	floor, err := s.Floor(offset)
	if err != nil {
		return h, 0, false, err
	}
	return s.first(floor, func(h *batch.Header) bool { return h.LastOffset() >= offset })
}

// first scans from a position to the first batch that want wants.
func (s *Segment) first(pos int64, want func(*batch.Header) bool) (h batch.Header, at int64, ok bool, err error) {
	sc := NewScanner(s.file, pos, s.Size(), lookupChunk)
	for {
		h, at, err = sc.Next()
		switch {
		case err == io.EOF:
			return h, at, false, nil
		case err != nil:
			return h, at, false, fmt.Errorf("%s: %w", s.Path(), err)
		case want(&h):
			return h, at, true, nil
		}
	}
}

// FindTime returns offset and timestamp of the first record at or after
// offset from whose timestamp is at least ts, if there is one.
func (s *Segment) FindTime(ts, from int64) (offset, timestamp int64, ok bool, err error) {
	s.mu.Lock()
	if s.maxTime.timestamp < ts {
		s.mu.Unlock()
		return 0, 0, false, nil
	}
	if err := s.load(); err != nil {
		s.mu.Unlock()
		return 0, 0, false, err
	}
	pos := max(s.x.timeFloor(ts), s.x.floor(from-s.o.Base))
	s.mu.Unlock()
	for {
		h, at, ok, err := s.first(pos, func(h *batch.Header) bool {
			return h.MaxTimestamp >= ts && h.LastOffset() >= from
		})
		if !ok || err != nil {
			return 0, 0, false, err
		}
		offset, timestamp, ok, err = s.inBatch(&h, at, ts, from)
		if ok || err != nil {
			return offset, timestamp, ok, err
		}
		pos = at + int64(h.Size())
	}
}

// inBatch looks for a time among the records of one batch.
func (s *Segment) inBatch(h *batch.Header, pos, ts, from int64) (offset, timestamp int64, ok bool, err error) {
	b := make([]byte, h.Size())
	if _, err := s.file.ReadAt(b, pos); err != nil && err != io.EOF {
		return 0, 0, false, fmt.Errorf("read %s at position %d: %w", s.Path(), pos, err)
	}
	var rd batch.Reader
	defer rd.Close()
	if err := rd.Reset(b, math.MaxInt32); err != nil {
		return 0, 0, false, fmt.Errorf("%s, position %d: %w", s.Path(), pos, err)
	}
	for rd.Next() {
		rec := rd.Record()
		at := h.BaseOffset + int64(rec.OffsetDelta)
		if at >= from && rec.Timestamp >= ts {
			return at, rec.Timestamp, true, nil
		}
	}
	return 0, 0, false, rd.Err()
}

// MaxTimestampFrom is the largest timestamp of the batches that have offset
// from or later ones in them; batch.NoTimestamp if there is none. It walks
// them all.
func (s *Segment) MaxTimestampFrom(from int64) (int64, error) {
	best := batch.NoTimestamp
	floor, err := s.Floor(from)
	if err != nil {
		return best, err
	}
	for sc := s.Scan(floor); ; {
		h, _, err := sc.Next()
		switch {
		case err == io.EOF:
			return best, nil
		case err != nil:
			return best, fmt.Errorf("%s: %w", s.Path(), err)
		case h.LastOffset() >= from:
			best = max(best, h.MaxTimestamp)
		}
	}
}
