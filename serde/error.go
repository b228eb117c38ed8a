package serde

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrSize is the cause of an [Error] where bytes have a length that no value
// of the type has.
var ErrSize = errors.New("wrong size")

// errNil is the cause where nil came to a serde that was promised none.
var errNil = errors.New("nil has no encoding: it is written as null, without the serde")

var errBool = errors.New("neither 0 nor 1")

// Op is what a serde was doing when it failed.
type Op string

// The operations of a serde.
const (
	Encode Op = "encode"
	Decode Op = "decode"
)

// Error is what the serdes of this package return: which type, in which
// direction, from how many bytes, and why not. It doesn't hold the bytes, as
// they may be large or secret; the engine's error names the record.
type Error struct {
	Op   Op
	Type string // the Go type, "int64"
	Size int    // length of the bytes to decode; 0 for Encode
	Want int    // the length it should have been, where Err is ErrSize; else 0
	Err  error  // the cause
}

// Error is one line: operation, type, size and cause.
func (e *Error) Error() string {
	switch {
	case e.Op == Encode:
		return fmt.Sprintf("serde: encode %s: %v", e.Type, e.Err)
	case e.Err == ErrSize:
		return fmt.Sprintf("serde: decode %s: have %d bytes, want %d", e.Type, e.Size, e.Want)
	}
	return fmt.Sprintf("serde: decode %s from %d bytes: %v", e.Type, e.Size, e.Err)
}

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

func encodeError[T any](err error) error {
	return &Error{Op: Encode, Type: typeName[T](), Err: err}
}

func decodeError[T any](src []byte, err error) error {
	return &Error{Op: Decode, Type: typeName[T](), Size: len(src), Err: err}
}

func sizeError[T any](src []byte, want int) error {
	return &Error{Op: Decode, Type: typeName[T](), Size: len(src), Want: want, Err: ErrSize}
}

// typeName uses reflection, which only errors pay for.
func typeName[T any]() string { return reflect.TypeFor[T]().String() }
