package serde

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Integers are big-endian two's complement of exactly their size, as Kafka's
// LongSerializer (Int64), IntegerSerializer (Int32) and ShortSerializer (Int16)
// write them. Any other length is an error. Stores order keys by these bytes:
// unsigned ones in numeric order, signed ones with the negative numbers after
// the positive.
var (
	Int    Serde[int]    = integer[int]{} // 8 bytes on every machine
	Int64  Serde[int64]  = integer[int64]{}
	Int32  Serde[int32]  = integer[int32]{}
	Int16  Serde[int16]  = integer[int16]{}
	Int8   Serde[int8]   = integer[int8]{}
	Uint64 Serde[uint64] = integer[uint64]{}
	Uint32 Serde[uint32] = integer[uint32]{}
	Uint16 Serde[uint16] = integer[uint16]{}
	Uint8  Serde[uint8]  = integer[uint8]{}
)

// Floats are the big-endian bits of IEEE 754, as Kafka's DoubleSerializer
// (Float64) and FloatSerializer (Float32) write them; NaNs keep their bits.
var (
	Float64 Serde[float64] = float64Serde{}
	Float32 Serde[float32] = float32Serde{}
)

// integer is one serde for all widths. The compiler makes a copy of it for each
// T, in which the width is a constant and the switches are gone.
type integer[T int | int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8] struct{}

func (integer[T]) Append(dst []byte, v T) ([]byte, error) {
	switch width[T]() {
	case 1:
		return append(dst, byte(v)), nil
	case 2:
		return binary.BigEndian.AppendUint16(dst, uint16(v)), nil
	case 4:
		return binary.BigEndian.AppendUint32(dst, uint32(v)), nil
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v)), nil
}

func (integer[T]) Decode(src []byte) (T, error) {
	if len(src) != width[T]() {
		return 0, sizeError[T](src, width[T]())
	}
	switch width[T]() {
	case 1:
		return T(src[0]), nil
	case 2:
		return T(binary.BigEndian.Uint16(src)), nil
	case 4:
		return T(binary.BigEndian.Uint32(src)), nil
	}
	return T(binary.BigEndian.Uint64(src)), nil
}

// width is the encoded size of T in bytes. An int has 8 whatever the machine.
func width[T any]() int {
	var v T
	if _, ok := any(v).(int); ok {
		return 8
	}
	return int(unsafe.Sizeof(v))
}

type float64Serde struct{}

func (float64Serde) Append(dst []byte, v float64) ([]byte, error) {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v)), nil
}

func (float64Serde) Decode(src []byte) (float64, error) {
	if len(src) != 8 {
		return 0, sizeError[float64](src, 8)
	}
	return math.Float64frombits(binary.BigEndian.Uint64(src)), nil
}

type float32Serde struct{}

func (float32Serde) Append(dst []byte, v float32) ([]byte, error) {
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(v)), nil
}

func (float32Serde) Decode(src []byte) (float32, error) {
	if len(src) != 4 {
		return 0, sizeError[float32](src, 4)
	}
	return math.Float32frombits(binary.BigEndian.Uint32(src)), nil
}
