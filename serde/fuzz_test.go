package serde_test

import (
	"bytes"
	"testing"

	"github.com/leatstream/leat/serde"
)

// FuzzDecode gives any bytes to every decoder: none may panic or modify them,
// and what one accepts, its Append can write, and it can read that again.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "a", "\x00", "\x01", "\x02", "abcd", "\xff\xff\xff\xff\xff\xff\xff\xff", "\x7f\xf8\x00\x00\x00\x00\x00\x01",
		`{"id":"LH1","seats":3,"price":1e9,"stops":["a"],"tags":{"a":"b"},"payload":"AAA="}`, `{} `, `[]`, `null`, `{}{}`,
		"\x80", "\xc0", "\x82\xa2id\xa1x\xa5seats\x05", "\x93\xa1x\x05\xcb\x00\x00\x00\x00\x00\x00\x00\x00",
		"\xdd\xff\xff\xff\xff", "\x81\xa5stops\x92\xa1a\xa1b", "\x81\xa1z\xc7\x01\x05\x00", "\x81\xa7payload\xc4\x01\x00",
		"\xd6\xff\x00\x00\x00\x00", "\x81\xa1?\xd8\x80................",
	} {
		f.Add([]byte(seed))
	}
	var (
		jsonFlight, packFlight = serde.JSON[flight](), serde.Msgpack[flight]()
		packRow, packAny       = serde.Msgpack[row](), serde.Msgpack[any]()
		packSlice              = serde.Msgpack[[]map[string]flight]()
		pointer                = serde.Pointer(serde.JSON[[]flight]())
	)
	f.Fuzz(func(t *testing.T, src []byte) {
		decode(t, serde.String, src)
		decode(t, serde.Bytes, src)
		decode(t, serde.Bool, src)
		decode(t, serde.Int, src)
		decode(t, serde.Int64, src)
		decode(t, serde.Int32, src)
		decode(t, serde.Int16, src)
		decode(t, serde.Int8, src)
		decode(t, serde.Uint64, src)
		decode(t, serde.Uint32, src)
		decode(t, serde.Uint16, src)
		decode(t, serde.Uint8, src)
		decode(t, serde.Float64, src)
		decode(t, serde.Float32, src)
		decode(t, jsonFlight, src)
		decode(t, packFlight, src)
		decode(t, packRow, src)
		decode(t, packAny, src)
		decode(t, packSlice, src)
		decode(t, pointer, src)
	})
}

func decode[T any](t *testing.T, s serde.Serde[T], src []byte) {
	before := bytes.Clone(src)
	v, err := s.Decode(src)
	if !bytes.Equal(src, before) {
		t.Fatalf("%T modified its src", s)
	}
	if err != nil {
		return
	}
	b, err := s.Append(nil, v)
	if err != nil {
		t.Fatalf("%T: decoded %x to %#v, and can't write that: %v", s, src, v, err)
	}
	if _, err := s.Decode(b); err != nil {
		t.Fatalf("%T: decoded %x to %#v, wrote that as %x, and can't read that: %v", s, src, v, b, err)
	}
}
