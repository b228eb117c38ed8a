package cache

import (
	"encoding/binary"
	"fmt"

	"github.com/leatstream/leat/internal/record"
)

// A cell is the place of a buffer's item, such that the order of the bytes is
// that of the items: time and sub (8 bytes each, big-endian, the sign turned),
// the key, the number of arrival (8 bytes). A zero byte of the key is written as
// 0 255, and 0 1 ends it, so that a key comes before those it begins.

const cellHead = 1 + 8 + 8 // before the key

const signBit = 1 << 63

func appendCell(dst []byte, time, sub int64, key []byte, seq int64) []byte {
	dst = append(dst, rowCell)
	dst = binary.BigEndian.AppendUint64(dst, uint64(time)^signBit)
	dst = binary.BigEndian.AppendUint64(dst, uint64(sub)^signBit)
	for _, b := range key {
		dst = append(dst, b)
		if b == 0 {
			dst = append(dst, 0xff)
		}
	}
	dst = append(dst, 0, 1)
	return binary.BigEndian.AppendUint64(dst, uint64(seq))
}

// cellTimeOf is the time of a cell that was checked before.
func cellTimeOf(cell string) int64 {
	return int64(binary.BigEndian.Uint64(view(cell)[1:]) ^ signBit)
}

func splitCell(cell string) (time, sub int64, key []byte, err error) {
	src := view(cell)
	if len(src) < cellHead+10 || src[0] != rowCell {
		return 0, 0, nil, fmt.Errorf("%w: a cell of %d bytes", ErrCorrupt, len(src))
	}
	time = int64(binary.BigEndian.Uint64(src[1:]) ^ signBit)
	sub = int64(binary.BigEndian.Uint64(src[9:]) ^ signBit)
	src = src[cellHead : len(src)-8]
	key = make([]byte, 0, len(src))
	for i := 0; i < len(src); i++ {
		key = append(key, src[i])
		if src[i] != 0 {
			continue
		}
		i++
		switch {
		case i < len(src) && src[i] == 0xff:
		case i == len(src)-1 && src[i] == 1:
			return time, sub, key[:len(key)-1], nil
		default:
			return 0, 0, nil, fmt.Errorf("%w: a cell whose key does not end", ErrCorrupt)
		}
	}
	return 0, 0, nil, fmt.Errorf("%w: a cell whose key has no end", ErrCorrupt)
}

// appendHeaders appends the number of headers, and for each the length and the
// bytes of its name and its value; the length of a value is one more, and 0 for
// null.
func appendHeaders(dst []byte, headers []record.Header) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(headers)))
	for _, h := range headers {
		dst = binary.AppendUvarint(dst, uint64(len(h.Key)))
		dst = append(dst, h.Key...)
		if h.Value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(h.Value))+1)
		dst = append(dst, h.Value...)
	}
	return dst
}

// splitHeaders takes the headers off; their values and the rest are parts of src.
func splitHeaders(src []byte) (headers []record.Header, rest []byte, err error) {
	n, src, err := takeUvarint(src)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(src)/2) { // two lengths each, at least
		return nil, nil, fmt.Errorf("%w: %d headers in %d bytes", ErrCorrupt, n, len(src))
	}
	for range n {
		var h record.Header
		var name []byte
		if name, src, err = takeBytes(src, 0); err != nil {
			return nil, nil, err
		}
		h.Key = string(name)
		if h.Value, src, err = takeBytes(src, 1); err != nil {
			return nil, nil, err
		}
		headers = append(headers, h)
	}
	return headers, src, nil
}

// takeBytes takes a length, which is more by the given number, and bytes. A
// length below that number is nil.
func takeBytes(src []byte, more uint64) (b, rest []byte, err error) {
	n, src, err := takeUvarint(src)
	if err != nil || n < more {
		return nil, src, err
	}
	n -= more
	if n > uint64(len(src)) {
		return nil, nil, fmt.Errorf("%w: a header of %d bytes in %d", ErrCorrupt, n, len(src))
	}
	return src[:n:n], src[n:], nil
}

func takeUvarint(src []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(src)
	if size <= 0 {
		return 0, nil, fmt.Errorf("%w: no length", ErrCorrupt)
	}
	return n, src[size:], nil
}
