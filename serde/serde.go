package serde

// Serde turns values of T into bytes and back.
//
// The contract, which all of leat's own serdes keep and the engine relies on:
//
//   - Append appends the encoding of v to dst and returns the longer slice, as
//     the Append functions of strconv do. It doesn't look at what dst holds and
//     keeps neither dst nor, in what it appended, a part of v. After an error
//     what lies beyond len(dst) is undefined.
//   - Decode doesn't modify src. It doesn't keep src either, unless the serde is
//     a [Cloner].
//   - Decode gives back what Append was given. Where T is a key, equal values
//     have equal bytes: partitions and stores go by the bytes.
//   - Neither ever sees Kafka's null. Where T has a nil (pointer, slice, map, interface)
//     the engine writes nil as null and reads null as nil; a T without one has
//     no null. Zero bytes are not null, and Decode must expect them.
//   - Bad bytes are an error, never a panic.
//   - Both are safe for concurrent use.
type Serde[T any] interface {
	Append(dst []byte, v T) ([]byte, error)
	Decode(src []byte) (T, error)
}

// Cloner is what a Serde also is when the values it decodes are views of the
// bytes it was given. Such a value pins, and is overwritten with, the buffer it
// came in; whoever keeps one longer than the record lives (a cache, say) keeps
// a clone.
type Cloner[T any] interface {
	// Clone returns a copy of v that shares no memory with it.
	Clone(v T) T
}

// Func is a Serde made of two functions. Both have to keep the contract of
// [Serde].
func Func[T any](
	encode func(dst []byte, v T) ([]byte, error),
	decode func(src []byte) (T, error),
) Serde[T] {
	return funcs[T]{encode, decode}
}

type funcs[T any] struct {
	encode func([]byte, T) ([]byte, error)
	decode func([]byte) (T, error)
}

func (f funcs[T]) Append(dst []byte, v T) ([]byte, error) { return f.encode(dst, v) }
func (f funcs[T]) Decode(src []byte) (T, error)           { return f.decode(src) }
