package wire

import "io"

// source is where frames are read from.
type source interface {
	io.Reader
	// Peek returns the next n bytes without taking them, or fewer and why.
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
	Buffered() int // bytes that can be had without waiting
}

// Sizes of an intake's buffers. Most connections are silent at most times, so
// what they wait with is small; requests that come together fill more of it. Large
// ones are read past it.
const (
	smallIntake = 1 << 10
	largeIntake = 32 << 10
)

// intake buffers what comes in over a connection.
type intake struct {
	from   io.Reader
	memory *Memory
	small  [smallIntake]byte
	buf    []byte // small, or lent by memory
	lo, hi int    // what of buf has been read and not been taken
	full   bool   // whether the last read filled the buffer
}

func newIntake(from io.Reader, m *Memory) *intake {
	in := &intake{from: from, memory: m}
	in.buf = in.small[:]
	return in
}

// place is where in a connection's bytes something is.
type place uint8

const (
	betweenFrames place = iota // it may take long until there is more
	withinFrame
)

// Buffered is how many bytes can be had without waiting.
func (in *intake) Buffered() int { return in.hi - in.lo }

// Peek returns the next n bytes, of which there may be few, without taking them.
func (in *intake) Peek(n int) ([]byte, error) {
	for in.Buffered() < n {
		at := withinFrame
		if in.Buffered() == 0 {
			at = betweenFrames
		}
		if err := in.fill(at); err != nil {
			return in.buf[in.lo:in.hi], err
		}
	}
	return in.buf[in.lo : in.lo+n], nil
}

// Discard drops n bytes that Peek has returned.
func (in *intake) Discard(n int) (int, error) {
	n = min(n, in.Buffered())
	in.lo += n
	return n, nil
}

// Read reads what there is of a frame.
func (in *intake) Read(p []byte) (int, error) {
	if in.Buffered() == 0 {
		if len(p) >= len(in.buf) {
			return in.from.Read(p)
		}
		if err := in.fill(withinFrame); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buf[in.lo:in.hi])
	in.lo += n
	return n, nil
}

// fill reads once, behind what is in the buffer.
func (in *intake) fill(at place) error {
	switch {
	case at == betweenFrames:
		in.shrink()
	case in.full && len(in.buf) < largeIntake:
		larger := in.memory.buffer(largeIntake)
		in.hi = copy(larger, in.buf[in.lo:in.hi])
		in.lo, in.buf = 0, larger
	default:
		in.hi = copy(in.buf, in.buf[in.lo:in.hi])
		in.lo = 0
	}
	n, err := in.from.Read(in.buf[in.hi:])
	in.hi += n
	in.full = in.hi == len(in.buf)
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// shrink gives a buffer back that is empty.
func (in *intake) shrink() {
	in.lo, in.hi = 0, 0
	if len(in.buf) > smallIntake {
		in.memory.recycle(in.buf)
		in.buf = in.small[:]
	}
}

// close gives back what was lent. Nothing may be read any more.
func (in *intake) close() { in.shrink() }
