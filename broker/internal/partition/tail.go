package partition

import (
	"sort"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Sizes of slabs, in bytes. A log that is written to little has small ones.
const (
	minSlab = 8 << 10
	maxSlab = 256 << 10
)

// tail is the end of a log in memory, for the readers that keep up. Bytes in
// a slab never change once written, so a read hands out views without copying
// and without a lock; a slab lives as long as somebody reads it. The tail
// itself is guarded by the log.
type tail struct {
	slabs []*slab
	bytes int // capacity of all slabs
	limit int
}

// slab is some consecutive batches.
type slab struct {
	buf     []byte
	first   int64 // base offset of the first batch
	batches []place
}

// place is where a batch ends: its last offset, and the position after it.
type place struct {
	last int64
	end  int
}

// add copies a batch to the end.
func (t *tail) add(b []byte, h *batch.Header) {
	s := t.room(len(b), h.BaseOffset)
	s.buf = append(s.buf, b...)
	s.batches = append(s.batches, place{h.LastOffset(), len(s.buf)})
}

func (t *tail) room(size int, first int64) *slab {
	want := minSlab
	if n := len(t.slabs); n > 0 {
		s := t.slabs[n-1]
		if len(s.buf)+size <= cap(s.buf) {
			return s
		}
		want = min(2*cap(s.buf), maxSlab, max(minSlab, t.limit/4))
	}
	s := &slab{buf: make([]byte, 0, max(want, size)), first: first}
	t.slabs = append(t.slabs, s)
	t.bytes += cap(s.buf)
	drop := 0
	for t.bytes > t.limit && drop < len(t.slabs)-1 {
		t.bytes -= cap(t.slabs[drop].buf)
		drop++
	}
	if drop > 0 {
		n := copy(t.slabs, t.slabs[drop:])
		clear(t.slabs[n:])
		t.slabs = t.slabs[:n]
	}
	return s
}

// drop forgets everything.
func (t *tail) drop() {
	clear(t.slabs)
	t.slabs, t.bytes = t.slabs[:0], 0
}

// first is the first offset in the tail.
func (t *tail) first() (offset int64, ok bool) {
	if len(t.slabs) == 0 {
		return 0, false
	}
	return t.slabs[0].first, true
}

// locate finds the batch that holds offset.
func (t *tail) locate(offset int64) (slabIndex, batchIndex int, ok bool) {
	if len(t.slabs) == 0 || offset < t.slabs[0].first {
		return 0, 0, false
	}
	i := sort.Search(len(t.slabs), func(i int) bool { return t.slabs[i].first > offset }) - 1
	s := t.slabs[i]
	j := sort.Search(len(s.batches), func(j int) bool { return s.batches[j].last >= offset })
	return i, j, j < len(s.batches)
}

func (s *slab) startOf(i int) int {
	if i == 0 {
		return 0
	}
	return s.batches[i-1].end
}

// read appends views of whole batches from offset up to the offset end
// (exclusive) and in all up to maxBytes to dst. ok is false if the offset is
// not in the tail.
func (t *tail) read(dst [][]byte, offset, end int64, maxBytes int, least Minimum) (out [][]byte, size int, ok bool) {
	i, j, ok := t.locate(offset)
	if !ok {
		return dst, 0, false
	}
	for ; i < len(t.slabs); i, j = i+1, 0 {
		s := t.slabs[i]
		from := s.startOf(j)
		// Ends of batches grow with their offsets: one search finds the last
		// batch that both limits allow.
		n := j + sort.Search(len(s.batches)-j, func(k int) bool {
			p := s.batches[j+k]
			return p.last >= end || p.end-from > maxBytes-size
		})
		if n == j && size == 0 && least == AtLeastOne && s.batches[j].last < end {
			n = j + 1
		}
		if n == j {
			break
		}
		to := s.batches[n-1].end
		dst = append(dst, s.buf[from:to:to])
		size += to - from
		if n < len(s.batches) {
			break
		}
	}
	return dst, size, true
}

// from is how many bytes there are from the batch with offset to the end.
func (t *tail) from(offset int64) (bytes int64, ok bool) {
	i, j, ok := t.locate(offset)
	if !ok {
		return 0, false
	}
	bytes = -int64(t.slabs[i].startOf(j))
	for ; i < len(t.slabs); i++ {
		bytes += int64(len(t.slabs[i].buf))
	}
	return bytes, true
}
