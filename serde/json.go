package serde

import (
	"encoding/json"
	"sync"
)

// JSON is a Serde of T's JSON, by the rules and struct tags of encoding/json.
// Keys of maps are sorted, so equal values have equal bytes. Decode starts from
// T's zero value each time and takes exactly one JSON value: anything but white
// space behind it is an error; unknown fields are skipped.
//
// A method UnmarshalJSON of T must copy what it keeps of its argument, and no
// method may keep its receiver, which belongs to the serde.
func JSON[T any]() Serde[T] {
	s := &jsonSerde[T]{}
	s.encoders.New = func() any {
		e := &jsonEncoder[T]{}
		e.enc = json.NewEncoder(&e.appender)
		return e
	}
	s.slots.New = func() any { return new(T) }
	return s
}

// jsonSerde keeps a pool of values beside the encoders: encoding/json takes
// pointers in interfaces, so a value on the stack would be moved to the heap
// for each record.
type jsonSerde[T any] struct {
	encoders sync.Pool // of *jsonEncoder[T]
	slots    sync.Pool // of *T, each the zero value
}

// jsonEncoder is a json.Encoder that appends to a slice.
type jsonEncoder[T any] struct {
	appender
	enc *json.Encoder
	v   T
}

func (s *jsonSerde[T]) Append(dst []byte, v T) ([]byte, error) {
	e := s.encoders.Get().(*jsonEncoder[T])
	e.out, e.v = dst, v
	err := e.enc.Encode(&e.v)
	out := e.out
	var zero T
	e.out, e.v = nil, zero // the pool must not keep what is the caller's
	s.encoders.Put(e)
	if err != nil {
		return dst, encodeError[T](err)
	}
	return out[:len(out)-1], nil // without the newline that json.Encoder ends a value with
}

func (s *jsonSerde[T]) Decode(src []byte) (T, error) {
	slot := s.slots.Get().(*T)
	err := json.Unmarshal(src, slot)
	v := *slot
	var zero T
	*slot = zero
	s.slots.Put(slot)
	if err != nil {
		return zero, decodeError[T](src, err) // not the half that had been read
	}
	return v, nil
}

// appender is a slice as an io.Writer and io.ByteWriter.
type appender struct{ out []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.out = append(a.out, p...)
	return len(p), nil
}

func (a *appender) WriteByte(c byte) error {
	a.out = append(a.out, c)
	return nil
}
