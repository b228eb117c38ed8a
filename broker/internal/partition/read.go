package partition

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
)

// RangeError is the error for an offset that the log does not have (any more,
// or yet). It matches kerr.OffsetOutOfRange.
type RangeError struct {
	Topic     string
	Partition int32
	Offset    int64
	LogStart  int64
	LogEnd    int64
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("%s-%d: offset %d is outside of the log, which has %d to %d (exclusive)", e.Topic, e.Partition, e.Offset, e.LogStart, e.LogEnd)
}

// Unwrap makes a RangeError match OFFSET_OUT_OF_RANGE.
func (e *RangeError) Unwrap() error { return kerr.OffsetOutOfRange }

func (l *Log) outside(offset int64) error {
	return &RangeError{Topic: l.o.Topic, Partition: l.o.Partition, Offset: offset, LogStart: l.start, LogEnd: l.end}
}

// Read returns whole batches from the one that holds offset on, up to the
// high watermark and to about maxBytes; fewer where that is cheaper, but at
// least one batch if there is one and least says so. The views are appended
// to dst, which may be nil. Release the result once the bytes were sent.
//
// An offset before the log's start or after its end is a *RangeError; between
// the high watermark and the end there is nothing to read, which is no error.
func (l *Log) Read(dst [][]byte, offset int64, maxBytes int, least Minimum) (ReadResult, error) {
	return l.read(dst, offset, maxBytes, least, uncommitted)
}

// ReadCommitted is Read up to the last stable offset, for a reader that wants
// no records of transactions that are open or were aborted: it gets the latter
// nevertheless, and the list of them to tell them by.
func (l *Log) ReadCommitted(dst [][]byte, offset int64, maxBytes int, least Minimum) (ReadResult, error) {
	return l.read(dst, offset, maxBytes, least, committed)
}

// isolation is how far a read goes.
type isolation uint8

const (
	uncommitted isolation = iota // to the high watermark
	committed                    // to the last stable offset
)

// limit is the offset before which a read ends; l.mu is held.
func (l *Log) limit(i isolation) int64 {
	if i == committed {
		return l.lastStable()
	}
	return l.hw
}

func (l *Log) read(dst [][]byte, offset int64, maxBytes int, least Minimum, i isolation) (ReadResult, error) {
	for try := 0; ; try++ {
		r, cold, aborted, err := l.readTail(dst, offset, maxBytes, least, i)
		if err != nil {
			return r, err
		}
		if cold != nil {
			err = cold.read(&r, maxBytes, least)
		}
		// Retention may close a file between the look and the read; look again.
		if errors.Is(err, fs.ErrClosed) && try < 2 {
			continue
		}
		if err == nil && len(aborted) > 0 && r.Size > 0 {
			var end int64
			if end, err = endOf(r.Data[len(r.Data)-1]); err == nil {
				r.Aborted = overlapping(aborted, offset, end)
			}
		}
		if err != nil {
			return r, l.storage(fmt.Sprintf("offset %d could not be read", offset), err)
		}
		return r, nil
	}
}

// endOf is the offset after the last of some batches.
func endOf(b []byte) (end int64, err error) {
	for len(b) > 0 {
		var h batch.Header
		if h, _, b, err = batch.Cut(b); err != nil {
			return 0, err
		}
		end = h.NextOffset()
	}
	return end, nil
}

// readTail reads from memory, or returns what is needed to read from files;
// and the aborted transactions that a committed reader may have to know.
func (l *Log) readTail(dst [][]byte, offset int64, maxBytes int, least Minimum, i isolation) (ReadResult, *coldRead, []abortedTxn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := ReadResult{Data: dst, HighWatermark: l.hw, LastStable: l.lastStable(), LogStart: l.start}
	if offset < l.start || offset > l.end {
		return ReadResult{HighWatermark: -1, LastStable: -1, LogStart: -1}, nil, nil, l.outside(offset)
	}
	if l.closed {
		return r, nil, nil, l.usable()
	}
	end := l.limit(i)
	if offset >= end {
		return r, nil, nil, nil
	}
	var aborted []abortedTxn
	if n := len(l.aborted); i == committed && n > 0 && l.aborted[n-1].last >= offset {
		aborted = l.aborted
	}
	var ok bool
	if r.Data, r.Size, ok = l.tail.read(dst, offset, end, maxBytes, least); ok {
		return r, nil, aborted, nil
	}
	return r, &coldRead{segs: l.segs[l.segmentOf(offset):], offset: offset, end: end}, aborted, nil
}

// segmentOf is the index of the last segment that begins at or before offset;
// l.mu is held.
func (l *Log) segmentOf(offset int64) int {
	i := len(l.segs) - 1
	for i > 0 && l.segs[i].Base() > offset {
		i--
	}
	return i
}

// coldRead is a read from files, which needs no lock: bytes below the high
// watermark do not change.
type coldRead struct {
	segs   []*segment.Segment // that may have the offset, in order
	offset int64
	end    int64 // no batch that ends at or after this offset
}

// Buffers of cold reads. A read returns less rather than use a larger one,
// unless a single batch is.
const (
	minBuffer = 64 << 10
	maxBuffer = 4 << 20
)

var readBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Release gives the buffer of a read back.
func (r *ReadResult) Release() {
	if r.buf != nil {
		if cap(*r.buf) <= maxBuffer {
			readBuffers.Put(r.buf)
		}
		r.buf = nil
	}
	r.Data = nil
}

func (c *coldRead) read(r *ReadResult, maxBytes int, least Minimum) error {
	buf := readBuffers.Get().(*[]byte)
	for _, s := range c.segs {
		b, err := c.fromSegment(s, buf, maxBytes, least)
		if err != nil {
			readBuffers.Put(buf)
			return fmt.Errorf("%s: %w", s.Path(), err)
		}
		if b.stop || len(b.data) > 0 {
			if len(b.data) > 0 {
				r.Data, r.Size, r.buf = append(r.Data, b.data), len(b.data), buf
				return nil
			}
			break
		}
		// Compaction may leave a segment without the offsets at its end.
	}
	readBuffers.Put(buf)
	return nil
}

// found is what one segment had: bytes, or the word that there is no use in
// looking further.
type found struct {
	data []byte
	stop bool
}

// fromSegment reads a piece around the offset, and again if the batch that is
// wanted turns out to begin or end outside of it.
func (c *coldRead) fromSegment(s *segment.Segment, buf *[]byte, maxBytes int, least Minimum) (found, error) {
	pos, err := s.Floor(c.offset)
	if err != nil {
		return found{}, err
	}
	size := s.Size()
	want := min(max(maxBytes, 0), maxBuffer-minBuffer) + minBuffer/4
	for pos < size {
		b, err := fill(s, buf, pos, min(int64(want), size-pos))
		if err != nil {
			return found{}, err
		}
		at := 0
		for len(b)-at >= batch.HeaderSize {
			h, err := batch.Parse(b[at:])
			if err != nil {
				return found{}, fmt.Errorf("position %d: %w", pos+int64(at), err)
			}
			if h.LastOffset() >= c.end {
				return found{stop: true}, nil
			}
			if h.LastOffset() >= c.offset {
				if h.Size() > maxBytes && least == NoMinimum {
					return found{stop: true}, nil
				}
				if at+h.Size() > len(b) {
					want = max(h.Size(), want)
					break
				}
				return found{data: c.whole(b[at:], maxBytes)}, nil
			}
			at += h.Size()
			if at > len(b) {
				break
			}
		}
		if at == 0 && len(b) == int(size-pos) {
			return found{}, segment.ErrTorn
		}
		pos += int64(at)
	}
	return found{}, nil
}

// whole cuts b after the last batch that ends within b, the high watermark
// and maxBytes; the first batch is always in.
func (c *coldRead) whole(b []byte, maxBytes int) []byte {
	at := 0
	for len(b)-at >= batch.HeaderSize {
		h, err := batch.Parse(b[at:])
		if err != nil || at+h.Size() > len(b) || h.LastOffset() >= c.end {
			break
		}
		if at > 0 && at+h.Size() > maxBytes {
			break
		}
		at += h.Size()
	}
	return b[:at:at]
}

func fill(s *segment.Segment, buf *[]byte, pos, n int64) ([]byte, error) {
	if int64(cap(*buf)) < n {
		*buf = make([]byte, n)
	}
	b := (*buf)[:n]
	got, err := s.ReadAt(b, pos)
	if err != nil && !(err == io.EOF && int64(got) == n) {
		return nil, fmt.Errorf("position %d: %w", pos, err)
	}
	return b, nil
}

// Available is about how many bytes a read from offset could return in all,
// without reading them: 0 if there are none, or no such offset.
func (l *Log) Available(offset int64) int { return l.available(offset, uncommitted) }

// AvailableCommitted is Available for ReadCommitted.
func (l *Log) AvailableCommitted(offset int64) int { return l.available(offset, committed) }

func (l *Log) available(offset int64, i isolation) int {
	l.mu.Lock()
	end := l.limit(i)
	if offset < l.start || offset >= end {
		l.mu.Unlock()
		return 0
	}
	hidden := l.endBytes - l.hwBytes
	n, ok := l.tail.from(offset)
	if ok && end < l.hw {
		// What is not stable is in the tail too, being later.
		hidden, ok = l.tail.from(end)
	}
	if ok {
		l.mu.Unlock()
		return int(n - hidden)
	}
	segs := l.segs[l.segmentOf(offset):]
	unstable := l.segs[l.segmentOf(end):]
	if end == l.hw {
		unstable = nil
	}
	l.mu.Unlock()
	n = bytesFrom(segs, offset) - max(hidden, bytesFrom(unstable, end))
	return int(max(n, 1))
}

// bytesFrom is about how many bytes segments have from an offset on.
func bytesFrom(segs []*segment.Segment, offset int64) int64 {
	if len(segs) == 0 {
		return 0
	}
	n := sizeOf(segs)
	if pos, err := segs[0].Floor(offset); err == nil {
		n -= pos
	}
	return n
}
