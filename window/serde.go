package window

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/leatstream/leat/serde"
)

// spanSize is the bytes of a Span behind a key: start and end, 8 bytes each.
const spanSize = 16

// KeySerde is a Serde of windowed keys: the key's bytes as key writes them,
// then start and end, each as 8 bytes, big-endian, in milliseconds since the
// epoch. It is a [serde.Cloner] where key is one.
func KeySerde[K any](key serde.Serde[K]) serde.Serde[Key[K]] {
	if c, ok := key.(serde.Cloner[K]); ok {
		return cloningKeySerde[K]{keySerde[K]{key}, c}
	}
	return keySerde[K]{key}
}

var (
	errNoSpan = errors.New("no room for a window's start and end behind the key")
	errSpan   = errors.New("the window ends before it starts")
)

type keySerde[K any] struct{ key serde.Serde[K] }

func (s keySerde[K]) Append(dst []byte, k Key[K]) ([]byte, error) {
	dst, err := s.key.Append(dst, k.Key)
	if err != nil {
		return dst, err
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(k.StartMS))
	return binary.BigEndian.AppendUint64(dst, uint64(k.EndMS)), nil
}

func (s keySerde[K]) Decode(src []byte) (Key[K], error) {
	n := len(src) - spanSize
	if n < 0 {
		return Key[K]{}, decodeError[K](src, errNoSpan)
	}
	span := Span{
		StartMS: int64(binary.BigEndian.Uint64(src[n:])),
		EndMS:   int64(binary.BigEndian.Uint64(src[n+8:])),
	}
	if span.EndMS < span.StartMS {
		return Key[K]{}, decodeError[K](src, errSpan)
	}
	k, err := s.key.Decode(src[:n])
	if err != nil {
		return Key[K]{}, err
	}
	return Key[K]{Key: k, Span: span}, nil
}

func decodeError[K any](src []byte, err error) error {
	return &serde.Error{Op: serde.Decode, Type: fmt.Sprintf("%T", Key[K]{}), Size: len(src), Err: err}
}

type cloningKeySerde[K any] struct {
	keySerde[K]
	cloner serde.Cloner[K]
}

func (s cloningKeySerde[K]) Clone(k Key[K]) Key[K] {
	return Key[K]{Key: s.cloner.Clone(k.Key), Span: k.Span}
}
