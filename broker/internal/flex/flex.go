// Package flex writes and reads Kafka's flexible encoding: compact strings and
// arrays, and tagged fields. It is for records whose schemas the protocol
// library lacks.
//
// A schema is one function for both directions: it names each field once, and a
// [Coder] either appends what the fields hold or fills them. What is written can
// therefore be read, in the same order. Reading never panics and never allocates
// more than a small multiple of what there is to read.
package flex

import (
	"encoding/binary"
	"errors"
	"math"
)

// ErrShort says that bytes end before what they should hold, or hold a length
// that can't be.
var ErrShort = errors.New("the encoding is cut off or damaged")

// Coder appends fields to bytes, or fills fields from them. After an error the
// fields that follow keep what they have.
type Coder struct {
	buf     []byte
	reading bool
	err     error
}

// Encode appends what the schema names to b.
func Encode(b []byte, schema func(*Coder)) []byte {
	c := Coder{buf: b}
	schema(&c)
	return c.buf
}

// Decode fills what the schema names from b. Bytes that are left are not an
// error: a later version may have more to say.
func Decode(b []byte, schema func(*Coder)) error {
	c := Coder{buf: b, reading: true}
	schema(&c)
	return c.err
}

// Reading says whether fields are filled rather than written.
func (c *Coder) Reading() bool { return c.reading }

// Fail ends a decoding with an error, unless there is one.
func (c *Coder) Fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// take returns the next n bytes, nil if there are fewer.
func (c *Coder) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if n < 0 || n > len(c.buf) {
		c.err = ErrShort
		return nil
	}
	b := c.buf[:n:n]
	c.buf = c.buf[n:]
	return b
}

// Int8 is one byte.
func (c *Coder) Int8(v *int8) {
	if !c.reading {
		c.buf = append(c.buf, byte(*v))
	} else if b := c.take(1); b != nil {
		*v = int8(b[0])
	}
}

// Int16 is two bytes.
func (c *Coder) Int16(v *int16) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(*v))
	} else if b := c.take(2); b != nil {
		*v = int16(binary.BigEndian.Uint16(b))
	}
}

// Uint16 is two bytes without a sign.
func (c *Coder) Uint16(v *uint16) {
	i := int16(*v)
	c.Int16(&i)
	*v = uint16(i)
}

// Int32 is four bytes.
func (c *Coder) Int32(v *int32) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(*v))
	} else if b := c.take(4); b != nil {
		*v = int32(binary.BigEndian.Uint32(b))
	}
}

// Int64 is eight bytes.
func (c *Coder) Int64(v *int64) {
	if !c.reading {
		c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(*v))
	} else if b := c.take(8); b != nil {
		*v = int64(binary.BigEndian.Uint64(b))
	}
}

// UUID is sixteen bytes.
func (c *Coder) UUID(v *[16]byte) {
	if !c.reading {
		c.buf = append(c.buf, v[:]...)
	} else if b := c.take(16); b != nil {
		copy(v[:], b)
	}
}

// uvarint is a number of seven bits a byte, the low ones first.
func (c *Coder) uvarint(v *uint32) {
	if !c.reading {
		c.buf = binary.AppendUvarint(c.buf, uint64(*v))
		return
	}
	if c.err != nil {
		return
	}
	n, size := binary.Uvarint(c.buf)
	if size <= 0 || n > math.MaxUint32 {
		c.err = ErrShort
		return
	}
	*v, c.buf = uint32(n), c.buf[size:]
}

// length is the length of something, plus one; 0 is null.
func (c *Coder) length(n int) (int, bool) {
	v := uint32(n + 1)
	c.uvarint(&v)
	if !c.reading {
		return n, n >= 0
	}
	n = int(v) - 1
	if n > len(c.buf) { // each element takes a byte at least
		c.Fail(ErrShort)
	}
	return n, n >= 0 && c.err == nil
}

// String is a compact string. A null reads as "".
func (c *Coder) String(v *string) {
	n, ok := c.length(len(*v))
	if !c.reading {
		c.buf = append(c.buf, *v...)
	} else if ok {
		*v = string(c.take(n))
	}
}

// Bytes is compact bytes. A null reads as none.
func (c *Coder) Bytes(v *[]byte) {
	n, ok := c.length(len(*v))
	if !c.reading {
		c.buf = append(c.buf, *v...)
	} else if ok {
		*v = append([]byte{}, c.take(n)...)
	}
}

// NullString is a compact string that may be null.
func (c *Coder) NullString(v **string) {
	if !c.reading {
		if *v == nil {
			c.length(-1)
			return
		}
		c.String(*v)
		return
	}
	if n, ok := c.length(0); ok {
		s := string(c.take(n))
		*v = &s
	}
}

// OldString is a string with a length of two bytes, as keys have them. One that
// is too long is written cut off.
func (c *Coder) OldString(v *string) {
	if !c.reading {
		*v = (*v)[:min(len(*v), math.MaxInt16)]
	}
	n := int16(len(*v))
	c.Int16(&n)
	if !c.reading {
		c.buf = append(c.buf, *v...)
	} else if b := c.take(int(n)); b != nil {
		*v = string(b)
	}
}

// Slice is a compact array, with a function for an element. A null reads as nil.
func Slice[T any](c *Coder, v *[]T, each func(*T)) {
	n, ok := c.length(len(*v))
	if !c.reading {
		for i := range *v {
			each(&(*v)[i])
		}
		return
	}
	if !ok {
		return
	}
	*v = make([]T, 0, min(n, 1024))
	for range n {
		var x T
		if each(&x); c.err != nil {
			return
		}
		*v = append(*v, x)
	}
}

// Strings is a compact array of compact strings.
func (c *Coder) Strings(v *[]string) { Slice(c, v, c.String) }

// Int32s is a compact array of numbers.
func (c *Coder) Int32s(v *[]int32) { Slice(c, v, c.Int32) }

// Null is the byte before a struct that may be null: it reports whether the
// struct follows.
func (c *Coder) Null(present bool) bool {
	v := int8(-1)
	if present {
		v = 1
	}
	c.Int8(&v)
	return v >= 0 && c.err == nil
}

// NullTagged is Null for a struct that is a tagged field: there null is 0.
func (c *Coder) NullTagged(present bool) bool {
	var v uint32
	if present {
		v = 1
	}
	c.uvarint(&v)
	return v > 0 && c.err == nil
}

// Tag is a field that is written only if it says something.
type Tag struct {
	ID    uint32
	Set   bool // whether it is written
	Field func(*Coder)
}

// End ends a struct, with its tagged fields in the order of their ids. Tags that
// it doesn't know are skipped.
func (c *Coder) End(tags ...Tag) {
	var n uint32
	for _, t := range tags {
		if t.Set {
			n++
		}
	}
	c.uvarint(&n)
	if c.reading {
		c.readTags(n, tags)
		return
	}
	for _, t := range tags {
		if !t.Set {
			continue
		}
		body := Encode(nil, t.Field)
		size := uint32(len(body))
		c.uvarint(&t.ID)
		c.uvarint(&size)
		c.buf = append(c.buf, body...)
	}
}

func (c *Coder) readTags(n uint32, tags []Tag) {
	for ; n > 0 && c.err == nil; n-- {
		var id, size uint32
		c.uvarint(&id)
		c.uvarint(&size)
		body := c.take(int(size))
		for _, t := range tags {
			if t.ID == id && c.err == nil {
				c.Fail(Decode(body, t.Field))
			}
		}
	}
}
