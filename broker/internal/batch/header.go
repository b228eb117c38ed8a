package batch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// Sizes and places in the header of a batch, in bytes.
const (
	// HeaderSize is the length of a header, up to the first record.
	HeaderSize = 61
	// FrameSize is the part of the header that is not counted by its length
	// field: base offset and length.
	FrameSize = 12

	atBaseOffset      = 0
	atLength          = 8
	atLeaderEpoch     = 12
	atMagic           = 16
	atCRC             = 17
	atAttributes      = 21
	atLastOffsetDelta = 23
	atBaseTimestamp   = 27
	atMaxTimestamp    = 35
	atProducerID      = 43
	atProducerEpoch   = 51
	atBaseSequence    = 53
	atCount           = 57
)

// NoProducer is the producer id of a batch that isn't idempotent.
const NoProducer int64 = -1

// NoTimestamp is the timestamp of a record that has none.
const NoTimestamp int64 = -1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Attributes are the flags of a batch.
type Attributes int16

// The bits of Attributes.
const (
	codecMask         Attributes = 0x07
	LogAppendTime     Attributes = 0x08 // timestamps are the broker's
	Transactional     Attributes = 0x10 // part of a transaction
	Control           Attributes = 0x20 // holds a marker, not user records
	HasDeleteHorizon  Attributes = 0x40 // base timestamp is when tombstones may go
	allAttributesBits            = codecMask | LogAppendTime | Transactional | Control | HasDeleteHorizon
)

// Codec is how the records are compressed.
func (a Attributes) Codec() Codec { return Codec(a & codecMask) }

// Has reports whether all bits of flag are set.
func (a Attributes) Has(flag Attributes) bool { return a&flag == flag }

// Header is the fixed part of a batch.
type Header struct {
	BaseOffset      int64
	Length          int32 // bytes after the length field
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32 // of everything from the attributes on
	Attributes      Attributes
	LastOffsetDelta int32
	BaseTimestamp   int64 // milliseconds; the delete horizon if HasDeleteHorizon
	MaxTimestamp    int64 // milliseconds
	ProducerID      int64 // NoProducer if not idempotent
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32 // of records
}

// Size is the length of the whole batch in bytes.
func (h *Header) Size() int { return FrameSize + int(h.Length) }

// LastOffset is the offset of the last record; after compaction that record
// itself may be gone.
func (h *Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// NextOffset is the offset after the batch.
func (h *Header) NextOffset() int64 { return h.LastOffset() + 1 }

// LastSequence is the sequence number of the last record; it wraps to 0
// after the largest int32.
func (h *Header) LastSequence() int32 {
	if h.BaseSequence < 0 {
		return h.BaseSequence
	}
	return int32((int64(h.BaseSequence) + int64(h.LastOffsetDelta)) & 0x7fffffff)
}

// Idempotent reports whether the batch comes from a producer with an id.
func (h *Header) Idempotent() bool { return h.ProducerID >= 0 }

// Parse reads the header at the start of b. It checks only that b is long
// enough, that the length field can be true and that the format is version 2;
// the rest of the batch need not be in b.
func Parse(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("%w: %d bytes are too few for the header of a batch", ErrCorrupt, len(b))
	}
	h := Header{
		BaseOffset:      int64(binary.BigEndian.Uint64(b[atBaseOffset:])),
		Length:          int32(binary.BigEndian.Uint32(b[atLength:])),
		LeaderEpoch:     int32(binary.BigEndian.Uint32(b[atLeaderEpoch:])),
		Magic:           int8(b[atMagic]),
		CRC:             binary.BigEndian.Uint32(b[atCRC:]),
		Attributes:      Attributes(binary.BigEndian.Uint16(b[atAttributes:])),
		LastOffsetDelta: int32(binary.BigEndian.Uint32(b[atLastOffsetDelta:])),
		BaseTimestamp:   int64(binary.BigEndian.Uint64(b[atBaseTimestamp:])),
		MaxTimestamp:    int64(binary.BigEndian.Uint64(b[atMaxTimestamp:])),
		ProducerID:      int64(binary.BigEndian.Uint64(b[atProducerID:])),
		ProducerEpoch:   int16(binary.BigEndian.Uint16(b[atProducerEpoch:])),
		BaseSequence:    int32(binary.BigEndian.Uint32(b[atBaseSequence:])),
		Count:           int32(binary.BigEndian.Uint32(b[atCount:])),
	}
	if h.Length < HeaderSize-FrameSize || h.Length > math.MaxInt32-FrameSize {
		return h, fmt.Errorf("%w: length field is %d", ErrCorrupt, h.Length)
	}
	if h.Magic != 2 {
		return h, fmt.Errorf("%w: format version %d, only 2 is supported", ErrCorrupt, h.Magic)
	}
	return h, nil
}

// put writes the header over the first HeaderSize bytes of b.
func (h *Header) put(b []byte) {
	_ = b[HeaderSize-1]
	binary.BigEndian.PutUint64(b[atBaseOffset:], uint64(h.BaseOffset))
	binary.BigEndian.PutUint32(b[atLength:], uint32(h.Length))
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], uint32(h.LeaderEpoch))
	b[atMagic] = byte(h.Magic)
	binary.BigEndian.PutUint32(b[atCRC:], h.CRC)
	binary.BigEndian.PutUint16(b[atAttributes:], uint16(h.Attributes))
	binary.BigEndian.PutUint32(b[atLastOffsetDelta:], uint32(h.LastOffsetDelta))
	binary.BigEndian.PutUint64(b[atBaseTimestamp:], uint64(h.BaseTimestamp))
	binary.BigEndian.PutUint64(b[atMaxTimestamp:], uint64(h.MaxTimestamp))
	binary.BigEndian.PutUint64(b[atProducerID:], uint64(h.ProducerID))
	binary.BigEndian.PutUint16(b[atProducerEpoch:], uint16(h.ProducerEpoch))
	binary.BigEndian.PutUint32(b[atBaseSequence:], uint32(h.BaseSequence))
	binary.BigEndian.PutUint32(b[atCount:], uint32(h.Count))
}

// Checksum computes the CRC32C that the whole batch b should carry.
func Checksum(b []byte) uint32 { return crc32.Checksum(b[atAttributes:], castagnoli) }

// CheckCRC tells whether the whole batch b is undamaged. b must be exactly
// the batch whose header is h.
func CheckCRC(b []byte, h *Header) error {
	if got := Checksum(b); got != h.CRC {
		return fmt.Errorf("%w: batch at offset %d has CRC %08x, its bytes have %08x", ErrCorrupt, h.BaseOffset, h.CRC, got)
	}
	return nil
}

// Assign gives the batch its place in a log. Both fields lie outside the CRC.
func Assign(b []byte, baseOffset int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b[atBaseOffset:], uint64(baseOffset))
	binary.BigEndian.PutUint32(b[atLeaderEpoch:], uint32(leaderEpoch))
}

// rewrite stores h over the header of b and makes the CRC right again.
func rewrite(b []byte, h *Header) {
	h.put(b)
	h.CRC = Checksum(b)
	binary.BigEndian.PutUint32(b[atCRC:], h.CRC)
}
