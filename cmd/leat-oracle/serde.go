package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
)

// typed is the serde of a case's type, with the wire form of Kafka's own serdes.
// Only topics that a case writes to are read with it.
type typed string

// Append implements serde.Serde.
func (t typed) Append(dst []byte, d *datum) ([]byte, error) {
	switch {
	case d == nil:
		return dst, errNull
	case t == "strictString" && strings.Contains(d.text, "BADSER"):
		return dst, errors.New("the value contains BADSER")
	case d.is(integer):
		return binary.BigEndian.AppendUint64(dst, uint64(d.int)), nil
	case d.is(float):
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(d.float)), nil
	}
	return append(dst, d.text...), nil
}

// Decode implements serde.Serde.
func (t typed) Decode(src []byte) (*datum, error) {
	switch t {
	case "int64":
		n, err := serde.Int64.Decode(src)
		return num(n), err
	case "float64":
		f, err := serde.Float64.Decode(src)
		return &datum{kind: float, float: f}, err
	case "bytes":
		return raw(src), nil
	}
	return str(string(src)), nil
}

// errNull says that a null reached a serde: leat writes them as null by itself.
var errNull = errors.New("null can't be encoded")

// tagged writes a datum with its type before it. It is the serde of stores and of
// internal topics: no type of a result need be known beforehand. As all keys of
// a store are of one type, the tag leaves their order alone.
type tagged struct{}

var errTag = errors.New("not a tagged value")

// Append implements serde.Serde.
func (tagged) Append(dst []byte, d *datum) ([]byte, error) {
	if d == nil {
		return dst, errNull
	}
	dst = append(dst, byte(d.kind))
	if d.kind != windowed {
		return typed("").Append(dst, d)
	}
	var err error
	if d.inner != nil {
		if dst, err = (tagged{}).Append(dst, d.inner); err != nil {
			return dst, err
		}
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(d.span.StartMS))
	return binary.BigEndian.AppendUint64(dst, uint64(d.span.EndMS)), nil
}

// Decode implements serde.Serde.
func (tagged) Decode(src []byte) (*datum, error) {
	if len(src) == 0 {
		return nil, errTag
	}
	tag, src := kind(src[0]), src[1:]
	switch tag {
	case text:
		return typed("string").Decode(src)
	case integer:
		return typed("int64").Decode(src)
	case float:
		return typed("float64").Decode(src)
	case blob:
		return typed("bytes").Decode(src)
	case windowed:
		return sessionKey{}.Decode(src)
	}
	return nil, fmt.Errorf("%w: tag %d", errTag, tag)
}

// sessionKey reads the keys of a session store's changelog: key, start, end.
type sessionKey struct{}

// Append implements serde.Serde.
func (sessionKey) Append(dst []byte, d *datum) ([]byte, error) {
	b, err := tagged{}.Append(nil, d)
	return append(dst, b[1:]...), err
}

// Decode implements serde.Serde.
func (sessionKey) Decode(src []byte) (*datum, error) {
	n := len(src) - 16
	if n < 0 {
		return nil, errTag
	}
	d := &datum{kind: windowed, span: window.Span{
		StartMS: int64(binary.BigEndian.Uint64(src[n:])), EndMS: int64(binary.BigEndian.Uint64(src[n+8:])),
	}}
	var err error
	if n > 0 {
		d.inner, err = tagged{}.Decode(src[:n])
	}
	return d, err
}

// windowedKey is tagged for the type that windowed tables have.
type windowedKey struct{}

// Append implements serde.Serde.
func (windowedKey) Append(dst []byte, k window.Key[*datum]) ([]byte, error) {
	return tagged{}.Append(dst, fromKey(k))
}

// Decode implements serde.Serde.
func (windowedKey) Decode(src []byte) (window.Key[*datum], error) {
	d, err := tagged{}.Decode(src)
	if err != nil {
		return window.Key[*datum]{}, err
	}
	return window.Key[*datum]{Key: d.inner, Span: d.span}, nil
}
