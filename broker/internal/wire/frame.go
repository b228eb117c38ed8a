package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFrame is wrapped by the errors for bytes that aren't a Kafka request.
// The connection that sent them is closed without an answer.
var ErrFrame = errors.New("not a Kafka request")

// minFrame is the size of the smallest request: key, version, correlation id.
const minFrame = 8

// grow is how much memory a frame gets before its bytes have arrived: a peer
// that only claims a large frame doesn't make us allocate it.
const grow = 1 << 20

// readFrame reads one length-prefixed frame, at most as large as limit allows
// for its API key, into spare if it is large enough. The error is io.EOF if the
// peer closed between two frames.
func readFrame(r *bufio.Reader, spare []byte, limit func(key int16) int) ([]byte, error) {
	head, err := r.Peek(4)
	if err != nil {
		if len(head) > 0 {
			err = noEOF(err)
		}
		return nil, err
	}
	size := int64(int32(binary.BigEndian.Uint32(head)))
	if size < minFrame {
		return nil, fmt.Errorf("%w: frame of %d bytes", ErrFrame, size)
	}
	if head, err = r.Peek(6); err != nil {
		return nil, noEOF(err)
	}
	key := int16(binary.BigEndian.Uint16(head[4:]))
	if most := int64(limit(key)); size > most {
		return nil, fmt.Errorf("%w: frame of %d bytes for API key %d, which may have %d", ErrFrame, size, key, most)
	}
	if _, err := r.Discard(4); err != nil {
		return nil, noEOF(err)
	}
	var buf []byte
	if size <= int64(cap(spare)) {
		buf = spare[:size]
	} else {
		buf = make([]byte, min(size, grow))
	}
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, noEOF(err)
	}
	for int64(len(buf)) < size {
		have := len(buf)
		next := make([]byte, min(size, 4*int64(have)))
		copy(next, buf)
		buf = next
		if _, err := io.ReadFull(r, buf[have:]); err != nil {
			return nil, noEOF(err)
		}
	}
	return buf, nil
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

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, fmt.Errorf("%w: bad varint", ErrFrame)
	}
	return v, b[n:], nil
}
