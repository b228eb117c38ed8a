package segment

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// ErrIndex is matched by errors about index files that cannot be right.
var ErrIndex = errors.New("index does not fit its segment")

// MaxSize is the largest a segment may become, in bytes: positions in indexes
// have 31 bits.
const MaxSize = math.MaxInt32

// Sizes of reads: small where one batch is looked for, large for whole files.
const (
	lookupChunk = 16 << 10
	scanChunk   = 1 << 20
)

// Options place a segment.
type Options struct {
	FS   vfs.FS
	Dir  string
	Base int64 // offset of the first record
	// Suffix is added to the names of all files; for compaction.
	Suffix string
	// Interval is how many bytes lie between two index entries; 0 is 4096.
	Interval int
}

func (o *Options) path(suffix string) string {
	return vfs.Join(o.Dir, FileName(o.Base, suffix)+o.Suffix)
}

// Segment is one file of a log. Its methods are safe for concurrent use, but
// for appends there must be one caller at a time.
type Segment struct {
	o    Options
	file vfs.File

	mu      sync.Mutex
	x       *indexes // nil while it is on disk only
	saved   bool     // index files hold all of x
	size    int64
	next    int64 // offset after the last record
	firstAt int64 // largest timestamp of the first batch
	maxTime timeEntry
	since   int  // bytes since the last index entry
	torn    bool // bytes of a failed append lie beyond size
	closed  bool
}

func (s *Segment) init() {
	if s.o.Interval <= 0 {
		s.o.Interval = 4096
	}
	s.x = &indexes{}
	s.next = s.o.Base
	s.firstAt = batch.NoTimestamp
	s.maxTime = timeEntry{timestamp: batch.NoTimestamp}
}

// Create makes an empty segment; what is in its place is lost.
func Create(o Options) (*Segment, error) {
	// Indexes of an earlier segment of that name must not be taken for those
	// of this one after a crash.
	for _, kind := range []string{IndexSuffix, TimeIndexSuffix, TxnIndexSuffix} {
		if err := o.FS.Remove(o.path(kind)); err != nil && !isNotExist(err) {
			return nil, fmt.Errorf("create segment: %w", err)
		}
	}
	f, err := o.FS.OpenFile(o.path(LogSuffix), vfs.Truncated)
	if err != nil {
		return nil, fmt.Errorf("create segment: %w", err)
	}
	s := &Segment{o: o, file: f}
	s.init()
	return s, nil
}

// Base is the offset the segment is named after.
func (s *Segment) Base() int64 { return s.o.Base }

// Path is the name of the segment's log file.
func (s *Segment) Path() string { return s.o.path(LogSuffix) }

// Size is its length in bytes.
func (s *Segment) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size
}

// Next is the offset after its last record, or Base if it is empty.
func (s *Segment) Next() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}

// FirstTimestamp is the largest timestamp of the first batch, by which the
// segment's age is told; batch.NoTimestamp if there is none.
func (s *Segment) FirstTimestamp() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.firstAt
}

// MaxTimestamp is the largest timestamp and the last offset of the first
// batch that has it; batch.NoTimestamp if no record has a time.
func (s *Segment) MaxTimestamp() (timestamp, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.maxTime.timestamp, s.o.Base + int64(s.maxTime.relative)
}

// Fits reports whether a batch may still be appended without breaking the
// format's limits: positions and relative offsets have 31 bits.
func (s *Segment) Fits(size int, lastOffset int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size+int64(size) <= MaxSize && lastOffset-s.o.Base <= math.MaxInt32
}

// Append writes one whole batch at the end. On an error nothing was appended:
// what got to the file is cut off, now or before the next append.
func (s *Segment) Append(b []byte, h *batch.Header) error {
	s.mu.Lock()
	size, torn := s.size, s.torn
	s.mu.Unlock()
	if torn {
		if err := s.cutTorn(size); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt(b, size); err != nil {
		err = fmt.Errorf("append to %s at position %d: %w", s.Path(), size, err)
		return errors.Join(err, s.cutTorn(size))
	}
	s.mu.Lock()
	s.note(h, size)
	s.mu.Unlock()
	return nil
}

// cutTorn removes what a failed append left behind.
func (s *Segment) cutTorn(size int64) error {
	err := s.file.Truncate(size)
	s.mu.Lock()
	s.torn = err != nil
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cut %s back to %d bytes: %w", s.Path(), size, err)
	}
	return nil
}

// note takes a batch at position pos, which is the end, into account.
func (s *Segment) note(h *batch.Header, pos int64) {
	last := uint32(h.LastOffset() - s.o.Base)
	if s.size == 0 {
		s.firstAt = h.MaxTimestamp
	}
	if h.MaxTimestamp > s.maxTime.timestamp {
		s.maxTime = timeEntry{h.MaxTimestamp, last}
	}
	if s.since > s.o.Interval {
		s.x.offsets = append(s.x.offsets, makeOffsetEntry(last, uint32(pos)))
		s.x.addTime(s.maxTime.timestamp, s.maxTime.relative)
		s.since = 0
	}
	s.saved = false
	s.since += h.Size()
	s.size = pos + int64(h.Size())
	s.next = h.NextOffset()
}

// ReadAt reads bytes of the log file.
func (s *Segment) ReadAt(p []byte, pos int64) (int, error) { return s.file.ReadAt(p, pos) }

// Sync makes the batches appended so far durable. An error must not be met
// with another try.
func (s *Segment) Sync() error {
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", s.Path(), err)
	}
	return nil
}

// Close closes the log file; saved indexes stay. Closing twice is harmless.
func (s *Segment) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.file.Close()
}

// Rename gives all files of the segment another suffix behind their own ("" is
// that of a live segment). Reads in progress go on. The log file comes last, so
// that its name says what became of all of them.
func (s *Segment) Rename(suffix string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.o
	to.Suffix = suffix
	for _, kind := range []string{IndexSuffix, TimeIndexSuffix, TxnIndexSuffix, LogSuffix} {
		err := s.o.FS.Rename(s.o.path(kind), to.path(kind))
		if err != nil && (kind == LogSuffix || !isNotExist(err)) {
			return fmt.Errorf("rename segment: %w", err)
		}
	}
	s.o.Suffix = suffix
	return nil
}

// Remove closes the segment and deletes its files.
func (s *Segment) Remove() error {
	err := s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range []string{LogSuffix, IndexSuffix, TimeIndexSuffix, TxnIndexSuffix} {
		if e := s.o.FS.Remove(s.o.path(kind)); e != nil && !isNotExist(e) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Scan walks the batches from position pos to the current end.
func (s *Segment) Scan(pos int64) *Scanner {
	return NewScanner(s.file, pos, s.Size(), scanChunk)
}

var _ io.ReaderAt = (*Segment)(nil)
