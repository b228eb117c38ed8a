package serde_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/leatstream/leat/serde"
	"github.com/vmihailenco/msgpack/v5"
)

// TestMsgpack_Interoperates reads what a plain encoder writes, and the other
// way round.
func TestMsgpack_Interoperates(t *testing.T) {
	want := flight{ID: "LH1", Seats: 300, Price: 99.5, Stops: []string{"FRA"}}
	plain, err := msgpack.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := serde.Msgpack[flight]().Decode(plain); err != nil || got.ID != want.ID || got.Seats != want.Seats {
		t.Errorf("got %+v, %v", got, err)
	}
	ours, err := serde.Msgpack[flight]().Append(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	var got flight
	if err := msgpack.Unmarshal(ours, &got); err != nil || got.Seats != want.Seats || got.Stops[0] != "FRA" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestMsgpack_CompactInts(t *testing.T) {
	b, err := serde.Msgpack[int64]().Append(nil, 100)
	if err != nil || !bytes.Equal(b, []byte{100}) {
		t.Errorf("int64(100) = %x, %v, want one byte", b, err)
	}
}

// TestMsgpack_MapToArray: a struct may go over to the array form, and still
// read what was written before.
func TestMsgpack_MapToArray(t *testing.T) {
	type before struct {
		ID    string  `msgpack:"id"`
		Seats int     `msgpack:"seats"`
		Price float64 `msgpack:"price"`
	}
	old, err := serde.Msgpack[before]().Append(nil, before{"LH1", 300, 99.5})
	if err != nil {
		t.Fatal(err)
	}
	got, err := serde.Msgpack[row]().Decode(old)
	if err != nil || got != (row{ID: "LH1", Seats: 300, Price: 99.5}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestMsgpack_Bombs feeds the few bytes that make a trusting decoder ask for
// all memory or overflow its stack. Without the check this test doesn't fail,
// it kills the process.
func TestMsgpack_Bombs(t *testing.T) {
	deep := bytes.Repeat([]byte{0x91}, 8<<20)
	deep[len(deep)-1] = 0xc0
	bombs := map[string][]byte{
		"array of 4 billion": {0xdd, 0xff, 0xff, 0xff, 0xff},
		"map of 4 billion":   {0xdf, 0xff, 0xff, 0xff, 0xff},
		"4 GB of bytes":      {0xc6, 0xff, 0xff, 0xff, 0xff},
		"deep nesting":       deep,
		"unused code":        {0xc1},
		"nothing":            {},
	}
	for name, b := range bombs {
		var e *serde.Error
		if v, err := serde.Msgpack[[]flight]().Decode(b); !errors.As(err, &e) {
			t.Errorf("%s: []flight: %v, %v", name, v, err)
		}
		if _, err := serde.Msgpack[any]().Decode(b); !errors.As(err, &e) {
			t.Errorf("%s: any: %v", name, err)
		}
	}
}

// TestMsgpack_AllForms decodes a value that has each form of item in it, so
// that the check before decoding knows every one's size.
func TestMsgpack_AllForms(t *testing.T) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	var want []any
	put := func(v any) {
		want = append(want, v)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	put(nil)
	put(true)
	put(false)
	for _, n := range []int{0, 31, 32, 255, 256, 1 << 16} {
		put(string(make([]byte, n)))
		put(make([]byte, n))
	}
	for _, n := range []int{0, 15, 16, 1 << 16} {
		put(make([]int8, n))
	}
	put(map[string]any{"a": map[string]any{}, "b": []any{}})
	for _, v := range []any{int8(-1), int8(-100), int16(-1000), int32(-1 << 20), int64(-1 << 40),
		uint8(200), uint16(1000), uint32(1 << 20), uint64(1 << 40), float32(1.5), 2.5} {
		put(v)
	}
	big := make(map[string]int8)
	for i := range 1 << 16 {
		big[string(rune(i+0x10000))] = 1
	}
	put(big)
	all := append([]byte{0xdc, 0, byte(len(want))}, buf.Bytes()...)
	got, err := serde.Msgpack[[]any]().Decode(all)
	if err != nil || len(got) != len(want) {
		t.Fatalf("got %d values, %v, want %d", len(got), err, len(want))
	}
	// Cut anywhere, it is an error. (Everywhere near the ends, here and there
	// between.)
	for n := 0; n < len(all); n++ {
		if n > 300 && n < len(all)-300 && n%4099 != 0 {
			continue
		}
		if _, err := serde.Msgpack[[]any]().Decode(all[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken as whole", n, len(all))
		}
	}
}

// lazy has a method that reads none of the value, greedy one that reads two.
type (
	lazy   struct{}
	greedy struct{}
)

func (*lazy) DecodeMsgpack(*msgpack.Decoder) error { return nil }

func (*greedy) DecodeMsgpack(d *msgpack.Decoder) error {
	return errors.Join(d.Skip(), d.Skip())
}

// TestMsgpack_OneValue: whatever a type's own method reads, the bytes have to
// be one value, and all of them have to be read.
func TestMsgpack_OneValue(t *testing.T) {
	var e *serde.Error
	if _, err := serde.Msgpack[lazy]().Decode([]byte{1}); !errors.As(err, &e) {
		t.Errorf("a value that wasn't read: %v", err)
	}
	if _, err := serde.Msgpack[greedy]().Decode([]byte{1, 1}); !errors.As(err, &e) {
		t.Errorf("two values: %v", err)
	}
}
