package wire

import (
	"encoding/binary"
	"fmt"
)

// Cursor decodes the fields of a body by hand, for requests whose generated
// decoder would cost too much. The first error sticks: the fields after it are
// zero, and Err tells it.
type Cursor struct {
	b        []byte
	flexible bool
	err      error
}

// NewCursor decodes body. In a flexible one lengths are varints, and tagged
// fields follow each structure.
func NewCursor(body []byte, flexible bool) Cursor { return Cursor{b: body, flexible: flexible} }

// Err is the first error, wrapping ErrFrame.
func (c *Cursor) Err() error { return c.err }

func (c *Cursor) fail(what string) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: body ends or is wrong at %s", ErrFrame, what)
	}
	c.b = nil
}

// Fixed returns the next n bytes; nil after an error.
func (c *Cursor) Fixed(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.fail("fixed field")
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// Int16 reads an int16.
func (c *Cursor) Int16() int16 {
	if b := c.Fixed(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// Int32 reads an int32.
func (c *Cursor) Int32() int32 {
	if b := c.Fixed(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// ID reads 16 bytes.
func (c *Cursor) ID() (id [16]byte) {
	copy(id[:], c.Fixed(16))
	return id
}

// length reads a length that takes width bytes unless the body is flexible; -1
// is null.
func (c *Cursor) length(width int) int {
	if c.flexible {
		v, rest, err := uvarint(c.b)
		if err != nil || v > 1<<31 {
			c.fail("length")
			return -1
		}
		c.b = rest
		return int(v) - 1
	}
	if width == 2 {
		return int(c.Int16())
	}
	return int(c.Int32())
}

// String reads a nullable string; the bytes are the body's.
func (c *Cursor) String() []byte { return c.bytes(2) }

// Bytes reads nullable bytes; they are the body's.
func (c *Cursor) Bytes() []byte { return c.bytes(4) }

func (c *Cursor) bytes(width int) []byte {
	n := c.length(width)
	if c.err != nil || n == -1 {
		return nil
	}
	return c.Fixed(n)
}

// Array reads the length of an array of elements that take at least size
// bytes each. It fails for a length that the rest of the body can't hold, so
// that what is made for it is no larger than what was sent.
func (c *Cursor) Array(size int) int {
	n := c.length(4)
	if c.err != nil || n <= 0 {
		return 0
	}
	if n > len(c.b)/size {
		c.fail("array")
		return 0
	}
	return n
}

// Tags skips the tagged fields of a structure, if the body is flexible.
func (c *Cursor) Tags() {
	if !c.flexible || c.err != nil {
		return
	}
	rest, err := skipTags(c.b)
	if err != nil {
		c.fail("tagged fields")
		return
	}
	c.b = rest
}

// AppendLength appends the length of a string or array as flexible bodies have
// it.
func AppendLength(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n+1)) }

// AppendString appends a string.
func AppendString(dst []byte, s string, flexible bool) []byte {
	if flexible {
		dst = AppendLength(dst, len(s))
	} else {
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(s)))
	}
	return append(dst, s...)
}

// AppendNullableString appends s, null if it is empty.
func AppendNullableString(dst []byte, s string, flexible bool) []byte {
	switch {
	case s != "":
		return AppendString(dst, s, flexible)
	case flexible:
		return append(dst, 0)
	default:
		return append(dst, 0xff, 0xff)
	}
}

// AppendArray appends the length of an array.
func AppendArray(dst []byte, n int, flexible bool) []byte {
	if flexible {
		return AppendLength(dst, n)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}
