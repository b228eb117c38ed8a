package segment

import (
	"errors"
	"fmt"
	"io"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Scanner walks the batches of a file by their headers. It reads in large
// pieces rather than a system call a header. Not safe for concurrent use.
type Scanner struct {
	r    io.ReaderAt
	pos  int64 // of the next batch
	end  int64
	buf  []byte // bytes of the file from at
	at   int64
	want int // bytes to read at a time
}

// ErrTorn is matched by the error about a batch that does not end within the
// scanned part.
var ErrTorn = errors.New("batch is cut off")

// NewScanner walks r from position pos, which must be the start of a batch,
// to end. chunk is how many bytes are read at a time.
func NewScanner(r io.ReaderAt, pos, end int64, chunk int) *Scanner {
	return &Scanner{r: r, pos: pos, end: end, want: max(chunk, batch.HeaderSize)}
}

// Next returns the next batch's header and position. At the end of the part
// the error is io.EOF; it matches ErrTorn or batch.ErrCorrupt if there is no
// whole batch, and the position then is where the sound part ends.
func (s *Scanner) Next() (h batch.Header, pos int64, err error) {
	pos = s.pos
	if pos >= s.end {
		return h, pos, io.EOF
	}
	b, err := s.view(batch.HeaderSize)
	if err != nil {
		return h, pos, err
	}
	if h, err = batch.Parse(b); err != nil {
		return h, pos, fmt.Errorf("position %d: %w", pos, err)
	}
	if pos+int64(h.Size()) > s.end {
		return h, pos, fmt.Errorf("position %d: %w: %d bytes of %d", pos, ErrTorn, s.end-pos, h.Size())
	}
	s.pos += int64(h.Size())
	return h, pos, nil
}

// Batch returns all bytes of the batch that Next returned last. They are
// valid until the next call.
func (s *Scanner) Batch(h *batch.Header) ([]byte, error) {
	s.pos -= int64(h.Size())
	b, err := s.view(h.Size())
	s.pos += int64(h.Size())
	return b, err
}

// view returns n bytes from the current position.
func (s *Scanner) view(n int) ([]byte, error) {
	if s.pos+int64(n) > s.end {
		return nil, fmt.Errorf("position %d: %w: %d bytes left", s.pos, ErrTorn, s.end-s.pos)
	}
	if off := s.pos - s.at; off >= 0 && off+int64(n) <= int64(len(s.buf)) {
		return s.buf[off : off+int64(n)], nil
	}
	size := min(int64(max(n, s.want)), s.end-s.pos)
	if int64(cap(s.buf)) < size {
		s.buf = make([]byte, size)
	}
	s.buf = s.buf[:size]
	s.at = s.pos
	got, err := s.r.ReadAt(s.buf, s.pos)
	s.buf = s.buf[:got]
	if got >= n {
		return s.buf[:n], nil
	}
	if err == nil || err == io.EOF {
		return nil, fmt.Errorf("position %d: %w: file ends after %d bytes", s.pos, ErrTorn, got)
	}
	return nil, fmt.Errorf("position %d: %w", s.pos, err)
}
