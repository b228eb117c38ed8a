package batch

import "fmt"

// Record is one record of a batch.
type Record struct {
	OffsetDelta int32 // from the batch's base offset
	Timestamp   int64 // milliseconds since the epoch, NoTimestamp if none
	Key         []byte
	Value       []byte // nil is Kafka's null: a tombstone
	// Headers are the encoded headers without their count, HeaderCount says
	// how many there are; see AppendHeader.
	Headers     []byte
	HeaderCount int32
}

// AppendHeader adds an encoded record header to dst, for Record.Headers; the
// caller counts them. A nil value is Kafka's null.
func AppendHeader(dst []byte, key string, value []byte) []byte {
	dst = appendVarint(dst, int64(len(key)))
	dst = append(dst, key...)
	return appendBytes(dst, value)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return appendVarint(dst, -1)
	}
	dst = appendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

func bytesSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

// append encodes the record in a batch whose base timestamp is base.
func (r *Record) append(dst []byte, base int64) []byte {
	delta := r.Timestamp - base
	size := 1 + varintSize(delta) + varintSize(int64(r.OffsetDelta)) +
		bytesSize(r.Key) + bytesSize(r.Value) +
		varintSize(int64(r.HeaderCount)) + len(r.Headers)
	dst = appendVarint(dst, int64(size))
	dst = append(dst, 0) // attributes: no bit has a meaning yet
	dst = appendVarint(dst, delta)
	dst = appendVarint(dst, int64(r.OffsetDelta))
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = appendVarint(dst, int64(r.HeaderCount))
	return append(dst, r.Headers...)
}

// parse decodes the record at the start of b and returns the bytes after it.
// The fields of r are parts of b. r.Timestamp is left as the delta.
func (r *Record) parse(b []byte) (rest []byte, err error) {
	size, n := varint(b)
	if n == 0 || size < 1 || int(size) > len(b)-n {
		return nil, fmt.Errorf("%w: length of a record is missing or too large", ErrCorrupt)
	}
	rest = b[n+int(size):]
	b = b[n+1 : n+int(size)] // the byte left out is the attributes
	if r.Timestamp, n = varlong(b); n == 0 {
		return nil, fmt.Errorf("%w: timestamp of a record", ErrCorrupt)
	}
	b = b[n:]
	if r.OffsetDelta, n = varint(b); n == 0 {
		return nil, fmt.Errorf("%w: offset of a record", ErrCorrupt)
	}
	b = b[n:]
	var ok bool
	if r.Key, b, ok = parseBytes(b); !ok {
		return nil, fmt.Errorf("%w: key of a record", ErrCorrupt)
	}
	if r.Value, b, ok = parseBytes(b); !ok {
		return nil, fmt.Errorf("%w: value of a record", ErrCorrupt)
	}
	if r.HeaderCount, n = varint(b); n == 0 || r.HeaderCount < 0 {
		return nil, fmt.Errorf("%w: number of headers of a record", ErrCorrupt)
	}
	r.Headers = b[n:]
	if !headersFill(r.Headers, r.HeaderCount) {
		return nil, fmt.Errorf("%w: headers of a record", ErrCorrupt)
	}
	return rest, nil
}

// headersFill reports whether b is exactly count headers.
func headersFill(b []byte, count int32) bool {
	for ; count > 0; count-- {
		size, n := varint(b)
		if n == 0 || size < 0 || int(size) > len(b)-n {
			return false
		}
		var ok bool
		if _, b, ok = parseBytes(b[n+int(size):]); !ok {
			return false
		}
	}
	return len(b) == 0
}

// parseBytes reads a length and that many bytes; any negative length is null.
func parseBytes(b []byte) (v, rest []byte, ok bool) {
	size, n := varint(b)
	if n == 0 {
		return nil, nil, false
	}
	b = b[n:]
	if size < 0 {
		return nil, b, true
	}
	if int(size) > len(b) {
		return nil, nil, false
	}
	return b[:size:size], b[size:], true
}
