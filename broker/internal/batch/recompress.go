package batch

import (
	"fmt"
	"math"
)

// Recompress adds to dst the batch b, whose header h comes from Frame and whose
// records were checked, with its records compressed by another codec, and
// changes h to the new header. All else stays. The records may decompress to at
// most maxInflated bytes (DefaultMaxInflated if 0).
func Recompress(dst, b []byte, h *Header, to Codec, maxInflated int) ([]byte, error) {
	if maxInflated <= 0 {
		maxInflated = DefaultMaxInflated
	}
	raw := b[HeaderSize:h.Size()]
	if from := h.Attributes.Codec(); from != None {
		inflated, err := inflate(from, raw, maxInflated)
		if err != nil {
			return dst, fmt.Errorf("decompress the records: %w", err)
		}
		defer putBuffer(inflated)
		raw = *inflated
	}
	start := len(dst)
	dst = append(dst, make([]byte, HeaderSize)...)
	if to == None {
		dst = append(dst, raw...)
	} else {
		var err error
		if dst, err = deflate(dst, to, raw); err != nil {
			return dst[:start], fmt.Errorf("compress the records with %s: %w", to, err)
		}
	}
	size := len(dst) - start - FrameSize
	if size > math.MaxInt32 {
		return dst[:start], fmt.Errorf("batch of %d bytes is larger than its length field can say", size)
	}
	h.Length = int32(size)
	h.Attributes = h.Attributes&^codecMask | Attributes(to)
	rewrite(dst[start:], h)
	return dst, nil
}
