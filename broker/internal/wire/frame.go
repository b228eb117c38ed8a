package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrFrame is wrapped by the errors for bytes that aren't a Kafka request.
// The connection that sent them is closed without an answer.
var ErrFrame = errors.New("not a Kafka request")

// minFrame is the size of the smallest request: key, version, correlation id.
const minFrame = 8

// grow is how much memory a frame gets before its bytes have arrived: a peer
// that only claims a large frame doesn't make us allocate it.
const grow = 64 << 10

// limits bounds what is read as a frame.
type limits struct {
	memory *Memory
	bytes  func(key int16) int // largest frame of an API
	// proven is the size of a frame that has come whole over the connection:
	// as much is believed of the next one, too.
	proven int
}

// provable is the most that proven becomes: as much as is passed round.
const provable = 1 << largestPooled

// prove notes that a frame has come.
func (lim *limits) prove(f inbound) {
	lim.proven = max(lim.proven, min(len(f.bytes), provable))
}

// first is how much memory a frame of that size gets before its bytes have come.
func (lim *limits) first(size int) int {
	if size <= lim.proven {
		return size
	}
	return min(size, max(grow, lim.proven))
}

// rawKey is the key by which limits are asked for frames without a header.
const rawKey int16 = -1

// readFrame reads one length-prefixed frame, at most as large as is allowed for
// its API key; one that is raw has no header, and so no key. The error is io.EOF
// if the peer closed between two frames.
func readFrame(ctx context.Context, r source, raw bool, lim limits) (inbound, error) {
	head, err := r.Peek(4)
	if err != nil {
		if len(head) > 0 {
			err = noEOF(err)
		}
		return inbound{}, err
	}
	size, key := int64(int32(binary.BigEndian.Uint32(head))), rawKey
	if size < 0 || size < minFrame && !raw {
		return inbound{}, fmt.Errorf("%w: frame of %d bytes", ErrFrame, size)
	}
	if !raw {
		if head, err = r.Peek(6); err != nil {
			return inbound{}, noEOF(err)
		}
		key = int16(binary.BigEndian.Uint16(head[4:]))
	}
	if most := int64(lim.bytes(key)); size > most {
		return inbound{}, fmt.Errorf("%w: frame of %d bytes for API key %d, which may have %d", ErrFrame, size, key, most)
	}
	if _, err := r.Discard(4); err != nil {
		return inbound{}, noEOF(err)
	}
	first := lim.first(int(size))
	var f inbound
	if first > grow {
		if err := f.charge(ctx, first, lim.memory); err != nil {
			return inbound{}, err
		}
	}
	f.bytes = lim.memory.buffer(max(1, first))[:first]
	if err := f.read(ctx, r, int(size), lim.memory); err != nil {
		lim.memory.free(f, true)
		return inbound{}, noEOF(err)
	}
	return f, nil
}

// read reads the frame's bytes. The buffer grows with what has arrived.
func (f *inbound) read(ctx context.Context, r source, size int, m *Memory) error {
	have := 0
	for {
		n, err := io.ReadFull(r, f.bytes[have:])
		have += n
		if err != nil || have == size {
			return err
		}
		next := min(size, 4*have)
		if err := f.charge(ctx, next, m); err != nil {
			return err
		}
		larger := m.buffer(next)
		copy(larger, f.bytes)
		m.recycle(f.bytes)
		f.bytes = larger
	}
}

// charge waits until the frame may take so many bytes.
func (f *inbound) charge(ctx context.Context, bytes int, m *Memory) error {
	counted := min(bytes, int(m.limit))
	if counted <= f.charged {
		return nil
	}
	if err := m.take(ctx, counted-f.charged); err != nil {
		return err
	}
	f.charged = counted
	return nil
}

// noEOF makes an end inside a frame distinct from one between frames.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Header is the header of a request.
type Header struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string // "" for null
}

// parseHeader reads the fixed part of a request header, and returns the rest
// of the frame. Whether tagged fields follow depends on the API and version;
// [Request.Flexible] reads them.
func parseHeader(frame []byte) (Header, []byte, error) {
	if len(frame) < minFrame {
		return Header{}, nil, fmt.Errorf("%w: %d bytes are too few for a header", ErrFrame, len(frame))
	}
	h := Header{
		Key:           int16(binary.BigEndian.Uint16(frame)),
		Version:       int16(binary.BigEndian.Uint16(frame[2:])),
		CorrelationID: int32(binary.BigEndian.Uint32(frame[4:])),
	}
	rest := frame[minFrame:]
	if len(rest) < 2 {
		return h, nil, fmt.Errorf("%w: no client id", ErrFrame)
	}
	n := int(int16(binary.BigEndian.Uint16(rest)))
	rest = rest[2:]
	switch {
	case n < -1 || n > len(rest):
		return h, nil, fmt.Errorf("%w: client id of %d bytes in %d", ErrFrame, n, len(rest))
	case n > 0:
		h.ClientID = string(rest[:n])
		rest = rest[n:]
	}
	return h, rest, nil
}

// maxTags bounds the tagged fields of a header.
const maxTags = 1000

// skipTags drops the tagged fields at the front of b.
func skipTags(b []byte) ([]byte, error) {
	count, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	if count > maxTags {
		return nil, fmt.Errorf("%w: %d tagged fields", ErrFrame, count)
	}
	for range count {
		if _, b, err = uvarint(b); err != nil {
			return nil, err
		}
		var size uint64
		if size, b, err = uvarint(b); err != nil {
			return nil, err
		}
		if size > uint64(len(b)) {
			return nil, fmt.Errorf("%w: tagged field of %d bytes in %d", ErrFrame, size, len(b))
		}
		b = b[size:]
	}
	return b, nil
}

// uvarint reads a varint; the protocol's have 32 bits.
func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 || n > binary.MaxVarintLen32 || v > math.MaxUint32 {
		return 0, nil, fmt.Errorf("%w: bad varint", ErrFrame)
	}
	return v, b[n:], nil
}
