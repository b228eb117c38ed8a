package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// keepBuffer is the largest buffer worth keeping for the next batch.
const keepBuffer = 4 << 20

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// ErrInflated is matched by the error about a batch that decompresses to more
// than it may.
var ErrInflated = errors.New("decompressed records are too large")

// inflate decompresses src to at most limit bytes in a pooled buffer.
func inflate(codec Codec, src []byte, limit int) (*[]byte, error) {
	buf := getBuffer()
	out, err := inflateTo((*buf)[:0], codec, src, limit)
	*buf = out
	if err == nil && len(out) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrInflated, limit)
	}
	if err != nil {
		putBuffer(buf)
		if errors.Is(err, ErrInflated) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, codec, err)
	}
	return buf, nil
}

func inflateTo(dst []byte, codec Codec, src []byte, limit int) ([]byte, error) {
	switch codec {
	case Gzip:
		z := gzips.Get().(*gzip.Reader)
		defer gzips.Put(z)
		if err := z.Reset(bytes.NewReader(src)); err != nil {
			return dst, err
		}
		return readAll(dst, z, limit)
	case Snappy:
		return inflateSnappy(dst, src, limit)
	case LZ4:
		z := lz4s.Get().(*lz4.Reader)
		defer lz4s.Put(z)
		z.Reset(bytes.NewReader(src))
		return readAll(dst, z, limit)
	case Zstd:
		z := zstds.Get().(*zstd.Decoder)
		defer zstds.Put(z)
		if err := z.Reset(bytes.NewReader(src)); err != nil {
			return dst, err
		}
		out, err := readAll(dst, z, limit)
		return out, errors.Join(err, z.Reset(nil))
	}
	return dst, fmt.Errorf("%s is not assigned", codec)
}

var (
	gzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s  = sync.Pool{New: func() any { return lz4.NewReader(nil) }}
	zstds = sync.Pool{New: func() any {
		// One goroutine's worth, decoding in the caller's; the window is
		// what a client can make us allocate before the limit is noticed.
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			panic(err) // the options are constants
		}
		return z
	}}
)

// readAll reads r to its end, or to one byte more than limit.
func readAll(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) > limit {
			return dst, nil
		}
		if len(dst) == cap(dst) {
			grow := max(cap(dst), 16<<10)
			dst = append(dst, make([]byte, grow)...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit+1)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// xerialMagic begins snappy data in the framing of the Java library that
// Kafka's own clients use: 8 bytes of magic, two 32-bit versions, then blocks
// with a 32-bit length each. Other clients send one bare block.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeader = 16

func inflateSnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return inflateBlock(dst, src, limit)
	}
	if len(src) < xerialHeader {
		return dst, io.ErrUnexpectedEOF
	}
	var err error
	for src = src[xerialHeader:]; len(src) > 0 && err == nil; {
		if len(src) < 4 {
			return dst, io.ErrUnexpectedEOF
		}
		size := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(size) > uint64(len(src)) {
			return dst, io.ErrUnexpectedEOF
		}
		dst, err = inflateBlock(dst, src[:size], limit)
		src = src[size:]
	}
	return dst, err
}

// inflateBlock decompresses one snappy block, whose length is known before.
func inflateBlock(dst, src []byte, limit int) ([]byte, error) {
	size, err := s2.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	if size > limit-len(dst) {
		return dst, fmt.Errorf("%w: more than %d bytes", ErrInflated, limit)
	}
	// A block of snappy cannot shrink to less than a 64th or so; a length
	// beyond that is a lie that shall not cost memory.
	if size > 64*len(src)+64 {
		return dst, fmt.Errorf("%d bytes from a block of %d", size, len(src))
	}
	start := len(dst)
	if cap(dst)-start < size {
		dst = append(dst, make([]byte, size)...)[:start]
	}
	out, err := s2.Decode(dst[start:start+size], src)
	if err != nil {
		return dst[:start], err
	}
	return dst[:start+len(out)], nil
}
