package serde

import "slices"

// String is UTF-8 text, as Kafka's StringSerializer writes it. Decode copies.
// Bytes that aren't UTF-8 are kept as they are: Go strings can hold them.
var String Serde[string] = stringSerde{}

// Bytes is bytes as they are. Decode doesn't copy: it returns a view of src,
// cut so that appending to it can't reach what lies behind. The engine doesn't
// modify such a view and nor must its user; it holds until the record has been
// processed. Bytes is a [Cloner].
var Bytes Serde[[]byte] = bytesSerde{}

// Bool is one byte, 1 or 0, as Kafka's BooleanSerializer writes it. Other
// bytes are an error.
var Bool Serde[bool] = boolSerde{}

type stringSerde struct{}

func (stringSerde) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (stringSerde) Decode(src []byte) (string, error)           { return string(src), nil }

type bytesSerde struct{}

func (bytesSerde) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }

func (bytesSerde) Decode(src []byte) ([]byte, error) {
	if src == nil {
		// Not null, which isn't ours to see, but nothing: nil would become null.
		return []byte{}, nil
	}
	return slices.Clip(src), nil
}

func (bytesSerde) Clone(v []byte) []byte {
	if v == nil {
		return nil
	}
	return append(make([]byte, 0, len(v)), v...)
}

type boolSerde struct{}

func (boolSerde) Append(dst []byte, v bool) ([]byte, error) {
	if v {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func (boolSerde) Decode(src []byte) (bool, error) {
	if len(src) != 1 {
		return false, sizeError[bool](src, 1)
	}
	if src[0] > 1 {
		return false, decodeError[bool](src, errBool)
	}
	return src[0] == 1, nil
}
