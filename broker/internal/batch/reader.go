package batch

import (
	"fmt"
	"iter"
)

// Reader walks the records of a batch. It may be used again with Reset; the
// zero value is ready for that. Not safe for concurrent use.
type Reader struct {
	h      Header
	rest   []byte // records not yet walked
	left   int32  // number of them
	rec    Record
	err    error
	buf    *[]byte // what rest is part of, if it had to be decompressed
	walked bool
}

// Reset starts at the first record of b, which must be one whole batch. The
// records of a compressed batch are decompressed at once, to at most
// maxInflated bytes (DefaultMaxInflated if 0). The CRC is not looked at.
func (r *Reader) Reset(b []byte, maxInflated int) error {
	r.Close()
	h, err := Parse(b)
	if err != nil {
		r.err = err
		return err
	}
	if h.Size() != len(b) {
		r.err = fmt.Errorf("%w: batch of %d bytes in %d", ErrCorrupt, h.Size(), len(b))
		return r.err
	}
	if h.Count < 0 {
		r.err = fmt.Errorf("%w: %d records", ErrCorrupt, h.Count)
		return r.err
	}
	return r.start(b, h, maxInflated)
}

func (r *Reader) start(b []byte, h Header, maxInflated int) error {
	if maxInflated <= 0 {
		maxInflated = DefaultMaxInflated
	}
	r.h, r.left, r.rest = h, h.Count, b[HeaderSize:]
	if codec := h.Attributes.Codec(); codec != None && h.Count > 0 {
		r.buf, r.err = inflate(codec, r.rest, maxInflated)
		if r.err != nil {
			r.left = 0
			return r.err
		}
		r.rest = *r.buf
	}
	return nil
}

// Header is that of the batch being read.
func (r *Reader) Header() *Header { return &r.h }

// Next moves to the next record and reports whether there is one. It ends
// with an error if the batch does not hold the records it says, and nothing
// else.
func (r *Reader) Next() bool {
	if r.err != nil {
		return false
	}
	if r.left == 0 {
		if len(r.rest) > 0 && !r.walked {
			r.err = fmt.Errorf("%w: %d bytes after the last of %d records", ErrCorrupt, len(r.rest), r.h.Count)
		}
		r.walked = true
		return false
	}
	r.left--
	if r.rest, r.err = r.rec.parse(r.rest); r.err != nil {
		return false
	}
	if r.h.Attributes.Has(LogAppendTime) {
		r.rec.Timestamp = r.h.MaxTimestamp
	} else {
		r.rec.Timestamp += r.h.BaseTimestamp
	}
	return true
}

// Record is the current record. It is overwritten by Next, and its bytes may
// be after Close.
func (r *Reader) Record() *Record { return &r.rec }

// Err is what ended the walk early, or nil.
func (r *Reader) Err() error { return r.err }

// Close lets go of the batch. The records' bytes must not be used any more.
func (r *Reader) Close() {
	if r.buf != nil {
		putBuffer(r.buf)
	}
	*r = Reader{}
}

// All walks the records of one whole batch. The bytes of a record are valid
// until the next one. An error comes last, beside a zero record.
func All(b []byte) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		var r Reader
		defer r.Close()
		if err := r.Reset(b, 0); err != nil {
			yield(Record{}, err)
			return
		}
		for r.Next() {
			if !yield(r.rec, nil) {
				return
			}
		}
		if r.err != nil {
			yield(Record{}, r.err)
		}
	}
}

// Cut takes the first batch off b, which may hold several; what fetches
// return is read with it. It does not look at the CRC.
func Cut(b []byte) (h Header, first, rest []byte, err error) {
	h, err = Parse(b)
	if err != nil {
		return h, nil, nil, err
	}
	if h.Size() > len(b) {
		return h, nil, nil, fmt.Errorf("%w: batch of %d bytes in %d", ErrCorrupt, h.Size(), len(b))
	}
	return h, b[:h.Size():h.Size()], b[h.Size():], nil
}
