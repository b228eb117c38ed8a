package segment

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Recovered tells what opening a segment took.
type Recovered struct {
	Checked int64 // bytes whose checksums were looked at
	Cut     int64 // bytes cut off the end
	Rebuilt bool  // indexes were made anew
}

// Open opens a segment of which the first trusted bytes are known to be
// sound; 0 is none, negative is all of it. What lies beyond is checked batch
// by batch, and cut off from the first that isn't whole or whose offsets do
// not go on from those before.
func Open(o Options, trusted int64) (*Segment, Recovered, error) {
	f, err := o.FS.OpenFile(o.path(LogSuffix), vfs.Existing)
	if err != nil {
		return nil, Recovered{}, fmt.Errorf("open segment: %w", err)
	}
	s := &Segment{o: o, file: f}
	s.init()
	r, err := s.recover(trusted)
	if err != nil {
		f.Close()
		return nil, r, fmt.Errorf("recover %s: %w", s.Path(), err)
	}
	return s, r, nil
}

func (s *Segment) recover(trusted int64) (Recovered, error) {
	size, err := s.file.Size()
	if err != nil {
		return Recovered{}, err
	}
	if trusted < 0 || trusted > size {
		trusted = size
	}
	var r Recovered
	if r.Rebuilt = !s.resume(trusted); r.Rebuilt {
		s.init()
	}
	indexed := len(s.x.offsets)
	if err := s.walk(trusted, nil); err != nil {
		// Even the trusted part isn't sound: believe nothing.
		if !isDamage(err) {
			return r, err
		}
		s.distrust(&r)
	}
	if err := s.check(size, &r); err != nil {
		return r, err
	}
	err = s.settle(&r, indexed)
	if isDamage(err) {
		// It is in a batch before those that the indexes made us look at.
		s.distrust(&r)
		err = s.check(size, &r)
	}
	return r, err
}

// distrust forgets what is known of the segment.
func (s *Segment) distrust(r *Recovered) {
	s.init()
	s.size, s.since = 0, 0
	r.Rebuilt = true
}

// check looks at the batches from the current end up to that of the file, and
// cuts off what isn't sound.
func (s *Segment) check(size int64, r *Recovered) error {
	if s.size >= size {
		return nil
	}
	from := s.size
	err := s.walk(size, batch.CheckCRC)
	r.Checked = s.size - from
	if err != nil && !isDamage(err) {
		return err
	}
	if r.Cut = size - s.size; r.Cut > 0 {
		return s.file.Truncate(s.size)
	}
	return nil
}

// settle compares the indexes that were loaded with what the batches said.
// indexed is how many offset entries were loaded.
func (s *Segment) settle(r *Recovered, indexed int) error {
	t, ok := s.x.lastTime()
	if ok && int64(t.relative) >= s.next-s.o.Base {
		// They are of a longer file than this has become.
		r.Rebuilt = true
		return s.rebuild()
	}
	s.saved = !r.Rebuilt && indexed > 0 && indexed == len(s.x.offsets) &&
		ok && t.timestamp == s.maxTime.timestamp
	return nil
}

func isDamage(err error) bool {
	return errors.Is(err, batch.ErrCorrupt) || errors.Is(err, ErrTorn)
}

// walk takes the batches from the current end up to position end into
// account, checking each if there is a check.
func (s *Segment) walk(end int64, check func([]byte, *batch.Header) error) error {
	sc := NewScanner(s.file, s.size, end, scanChunk)
	for {
		h, pos, err := sc.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if check != nil {
			b, err := sc.Batch(&h)
			if err != nil {
				return err
			}
			if err := check(b, &h); err != nil {
				return err
			}
		}
		if h.BaseOffset < s.next || h.LastOffsetDelta < 0 || h.LastOffset()-s.o.Base > MaxSize {
			return fmt.Errorf("%w: offsets %d to %d cannot come after %d", batch.ErrCorrupt, h.BaseOffset, h.LastOffset(), s.next-1)
		}
		s.note(&h, pos)
	}
}

// resume starts from the saved indexes instead of the first batch, if they
// can be right: the state is then as after the last indexed batch.
func (s *Segment) resume(trusted int64) bool {
	x, err := s.readIndexes(trusted)
	if err != nil || len(x.offsets) == 0 {
		return err == nil && len(x.times) <= 1
	}
	first, _, err := NewScanner(s.file, 0, trusted, batch.HeaderSize).Next()
	if err != nil {
		return false
	}
	last := x.offsets[len(x.offsets)-1]
	h, _, err := NewScanner(s.file, last.pos(), trusted, batch.HeaderSize).Next()
	if err != nil || h.LastOffset() != s.o.Base+last.relative() {
		return false
	}
	// The entry of the last indexed batch is there already; go on behind it.
	s.firstAt = first.MaxTimestamp
	if t, ok := x.lastTime(); ok {
		s.maxTime = t
	}
	s.x = x
	s.size = last.pos() + int64(h.Size())
	s.next = h.NextOffset()
	s.since = h.Size()
	return true
}

func (s *Segment) readIndexes(size int64) (*indexes, error) {
	offsets, err := vfs.ReadFile(s.o.FS, s.o.path(IndexSuffix))
	if err != nil {
		return nil, err
	}
	times, err := vfs.ReadFile(s.o.FS, s.o.path(TimeIndexSuffix))
	if err != nil {
		return nil, err
	}
	return decodeIndexes(offsets, times, size)
}

// load brings the indexes back into memory; s.mu is held.
func (s *Segment) load() error {
	if s.x != nil {
		return nil
	}
	x, err := s.readIndexes(s.size)
	if err == nil {
		s.x = x
		return nil
	}
	return s.rebuild()
}

// rebuild makes the indexes anew from the headers of all batches.
func (s *Segment) rebuild() error {
	size := s.size
	next := s.next
	s.init()
	s.size, s.since, s.saved = 0, 0, false
	if err := s.walk(size, nil); err != nil {
		return fmt.Errorf("rebuild the indexes of %s: %w", s.Path(), err)
	}
	// A segment may end with offsets whose records are gone.
	s.next = max(s.next, next)
	return nil
}

// SaveIndexes writes the index files, unless they are as they should be. They
// are not synced: what is wrong with them after a crash is found by Open.
func (s *Segment) SaveIndexes() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved || s.x == nil {
		return nil
	}
	s.x.addTime(s.maxTime.timestamp, s.maxTime.relative)
	err := errors.Join(
		vfs.WriteFile(s.o.FS, s.o.path(IndexSuffix), s.x.encodeOffsets()),
		vfs.WriteFile(s.o.FS, s.o.path(TimeIndexSuffix), s.x.encodeTimes()))
	if err != nil {
		return fmt.Errorf("save indexes: %w", err)
	}
	s.saved = true
	return nil
}

// Unload drops saved indexes from memory until they are needed. It is for
// segments that are no longer appended to.
func (s *Segment) Unload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved {
		s.x = nil
	}
}
