package serde

import (
	"encoding/binary"
	"errors"
)

// maxDepth is how many arrays and maps may lie within one another, the limit
// of encoding/json.
const maxDepth = 10_000

var (
	errTrailing = errors.New("bytes left over behind the value")
	errShort    = errors.New("it ends within a value")
	errDepth    = errors.New("its values are nested too deeply")
	errCode     = errors.New("it has a code that isn't MessagePack")
)

// checkMsgpack reports whether src is one whole value, without recursion and
// with no memory to speak of. The decoder has neither property: it makes room
// for as many elements as an array claims to have, and calls itself once a
// level. Five bytes could claim all memory there is, a few megabytes the whole
// stack, and nothing recovers from either. In a whole value every element that
// is claimed is there.
func checkMsgpack(src []byte) error {
	left := make([]uint64, 0, 32) // of each open array or map: how many values are still to come
	for {
		size, values, err := msgpackItem(src)
		if err != nil {
			return err
		}
		if uint64(len(src)) < size {
			return errShort
		}
		src = src[size:]
		if values > 0 {
			if len(left) == maxDepth {
				return errDepth
			}
			left = append(left, values)
			continue
		}
		for len(left) > 0 && left[len(left)-1] == 1 {
			left = left[:len(left)-1] // that was the last value, so the array or map is whole too
		}
		if len(left) == 0 {
			break
		}
		left[len(left)-1]--
	}
	if len(src) > 0 {
		return errTrailing
	}
	return nil
}

// msgpackItem reads the item at the front of src: its size in bytes without the
// values inside it, and the number of those values.
func msgpackItem(src []byte) (size, values uint64, err error) {
	if len(src) == 0 {
		return 0, 0, errShort
	}
	switch c := src[0]; {
	case c <= 0x7f, c >= 0xe0: // small integers
		return 1, 0, nil
	case c <= 0x8f:
		return 1, 2 * uint64(c&0x0f), nil
	case c <= 0x9f:
		return 1, uint64(c & 0x0f), nil
	case c <= 0xbf:
		return 1 + uint64(c&0x1f), 0, nil
	default:
		f := msgpackForms[c-0xc0]
		if !f.valid {
			return 0, 0, errCode
		}
		if len(src) < 1+f.lengthBytes {
			return 0, 0, errShort
		}
		var n uint64
		switch f.lengthBytes {
		case 1:
			n = uint64(src[1])
		case 2:
			n = uint64(binary.BigEndian.Uint16(src[1:]))
		case 4:
			n = uint64(binary.BigEndian.Uint32(src[1:]))
		}
		return 1 + uint64(f.lengthBytes) + f.fixed + n*f.perBytes, n * f.perValues, nil
	}
}

// msgpackForm is how an item with a code from 0xc0 to 0xdf goes on: a length of
// lengthBytes, then fixed bytes, then for each unit of the length so many bytes
// or values.
type msgpackForm struct {
	valid       bool
	lengthBytes int
	fixed       uint64
	perBytes    uint64
	perValues   uint64
}

var msgpackForms = [32]msgpackForm{
	0x00: {valid: true},                                        // nil
	0x02: {valid: true},                                        // false
	0x03: {valid: true},                                        // true
	0x04: {valid: true, lengthBytes: 1, perBytes: 1},           // bytes
	0x05: {valid: true, lengthBytes: 2, perBytes: 1},           //
	0x06: {valid: true, lengthBytes: 4, perBytes: 1},           //
	0x07: {valid: true, lengthBytes: 1, fixed: 1, perBytes: 1}, // extension
	0x08: {valid: true, lengthBytes: 2, fixed: 1, perBytes: 1}, //
	0x09: {valid: true, lengthBytes: 4, fixed: 1, perBytes: 1}, //
	0x0a: {valid: true, fixed: 4},                              // float32
	0x0b: {valid: true, fixed: 8},                              // float64
	0x0c: {valid: true, fixed: 1},                              // unsigned
	0x0d: {valid: true, fixed: 2},                              //
	0x0e: {valid: true, fixed: 4},                              //
	0x0f: {valid: true, fixed: 8},                              //
	0x10: {valid: true, fixed: 1},                              // signed
	0x11: {valid: true, fixed: 2},                              //
	0x12: {valid: true, fixed: 4},                              //
	0x13: {valid: true, fixed: 8},                              //
	0x14: {valid: true, fixed: 2},                              // extensions of a fixed size
	0x15: {valid: true, fixed: 3},                              //
	0x16: {valid: true, fixed: 5},                              //
	0x17: {valid: true, fixed: 9},                              //
	0x18: {valid: true, fixed: 17},                             //
	0x19: {valid: true, lengthBytes: 1, perBytes: 1},           // string
	0x1a: {valid: true, lengthBytes: 2, perBytes: 1},           //
	0x1b: {valid: true, lengthBytes: 4, perBytes: 1},           //
	0x1c: {valid: true, lengthBytes: 2, perValues: 1},          // array
	0x1d: {valid: true, lengthBytes: 4, perValues: 1},          //
	0x1e: {valid: true, lengthBytes: 2, perValues: 2},          // map: a key and a value
	0x1f: {valid: true, lengthBytes: 4, perValues: 2},          //
}
