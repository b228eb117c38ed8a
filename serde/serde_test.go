package serde_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/leatstream/leat/serde"
	"pgregory.net/rapid"
)

type flight struct {
	ID      string            `json:"id" msgpack:"id"`
	Seats   int               `json:"seats" msgpack:"seats"`
	Price   float64           `json:"price" msgpack:"price"`
	Stops   []string          `json:"stops,omitempty" msgpack:"stops,omitempty"`
	Tags    map[string]string `json:"tags,omitempty" msgpack:"tags,omitempty"`
	Payload []byte            `json:"payload,omitempty" msgpack:"payload,omitempty"`
}

type row struct {
	_msgpack struct{} `msgpack:",as_array"` //lint:ignore U1000 read by the encoder

	ID    string  `msgpack:"id"`
	Seats int     `msgpack:"seats"`
	Price float64 `msgpack:"price"`
}

var flights = rapid.Custom(func(t *rapid.T) flight {
	f := flight{
		ID:    rapid.String().Draw(t, "id"),
		Seats: rapid.Int().Draw(t, "seats"),
		Price: rapid.Float64().Draw(t, "price"),
	}
	// Empty and nil are the same to omitempty, so leave the empty ones out.
	if s := rapid.SliceOf(rapid.String()).Draw(t, "stops"); len(s) > 0 {
		f.Stops = s
	}
	if m := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "tags"); len(m) > 0 {
		f.Tags = m
	}
	if b := rapid.SliceOf(rapid.Byte()).Draw(t, "payload"); len(b) > 0 {
		f.Payload = b
	}
	return f
})

// roundTrip is the law of all serdes: Append keeps what dst holds, Decode gives
// back what Append was given, and equal values have equal bytes.
func roundTrip[T any](t *testing.T, s serde.Serde[T], gen *rapid.Generator[T]) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		v := gen.Draw(t, "value")
		dst := []byte("before")
		out, err := s.Append(dst, v)
		if err != nil {
			t.Fatalf("Append(%#v): %v", v, err)
		}
		if !bytes.HasPrefix(out, dst) {
			t.Fatalf("Append changed dst to %q", out)
		}
		again, err := s.Append(nil, v)
		if err != nil || !bytes.Equal(again, out[len(dst):]) {
			t.Fatalf("second Append(%#v) = %x, %v, first %x", v, again, err, out[len(dst):])
		}
		got, err := s.Decode(out[len(dst):])
		if err != nil {
			t.Fatalf("Decode(%x): %v", again, err)
		}
		if !reflect.DeepEqual(got, v) {
			t.Fatalf("Decode gave %#v, want %#v", got, v)
		}
		if !bytes.Equal(out[len(dst):], again) {
			t.Fatal("Decode modified its src")
		}
	})
}

func TestRoundTrip(t *testing.T) {
	t.Run("String", func(t *testing.T) { roundTrip(t, serde.String, rapid.String()) })
	t.Run("Bytes", func(t *testing.T) { roundTrip(t, serde.Bytes, rapid.SliceOf(rapid.Byte())) })
	t.Run("Bool", func(t *testing.T) { roundTrip(t, serde.Bool, rapid.Bool()) })
	t.Run("Int", func(t *testing.T) { roundTrip(t, serde.Int, rapid.Int()) })
	t.Run("Int64", func(t *testing.T) { roundTrip(t, serde.Int64, rapid.Int64()) })
	t.Run("Int32", func(t *testing.T) { roundTrip(t, serde.Int32, rapid.Int32()) })
	t.Run("Int16", func(t *testing.T) { roundTrip(t, serde.Int16, rapid.Int16()) })
	t.Run("Int8", func(t *testing.T) { roundTrip(t, serde.Int8, rapid.Int8()) })
	t.Run("Uint64", func(t *testing.T) { roundTrip(t, serde.Uint64, rapid.Uint64()) })
	t.Run("Uint32", func(t *testing.T) { roundTrip(t, serde.Uint32, rapid.Uint32()) })
	t.Run("Uint16", func(t *testing.T) { roundTrip(t, serde.Uint16, rapid.Uint16()) })
	t.Run("Uint8", func(t *testing.T) { roundTrip(t, serde.Uint8, rapid.Uint8()) })
	t.Run("Float64", func(t *testing.T) { roundTrip(t, serde.Float64, rapid.Float64()) })
	t.Run("Float32", func(t *testing.T) { roundTrip(t, serde.Float32, rapid.Float32()) })
	t.Run("JSON", func(t *testing.T) { roundTrip(t, serde.JSON[flight](), flights) })
	t.Run("Msgpack", func(t *testing.T) { roundTrip(t, serde.Msgpack[flight](), flights) })
	t.Run("Msgpack array", func(t *testing.T) {
		roundTrip(t, serde.Msgpack[row](), rapid.Custom(func(t *rapid.T) row {
			return row{ID: rapid.String().Draw(t, "id"), Seats: rapid.Int().Draw(t, "seats")}
		}))
	})
	t.Run("Pointer", func(t *testing.T) {
		roundTrip(t, serde.Pointer(serde.Msgpack[flight]()), rapid.Ptr(flights, false))
	})
}

// TestKafkaBytes pins the bytes to those of Kafka's own serializers.
func TestKafkaBytes(t *testing.T) {
	check := func(name string, got []byte, err error, want ...byte) {
		t.Helper()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s = %x, %v, want %x", name, got, err, want)
		}
	}
	b, err := serde.Int64.Append(nil, -2)
	check("LongSerializer(-2)", b, err, 255, 255, 255, 255, 255, 255, 255, 254)
	b, err = serde.Int32.Append(nil, 258)
	check("IntegerSerializer(258)", b, err, 0, 0, 1, 2)
	b, err = serde.Int16.Append(nil, -1)
	check("ShortSerializer(-1)", b, err, 255, 255)
	b, err = serde.Float64.Append(nil, 1.5)
	check("DoubleSerializer(1.5)", b, err, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0)
	b, err = serde.Float32.Append(nil, 1.5)
	check("FloatSerializer(1.5)", b, err, 0x3f, 0xc0, 0, 0)
	b, err = serde.Bool.Append(nil, true)
	check("BooleanSerializer(true)", b, err, 1)
	b, err = serde.String.Append(nil, "né")
	check("StringSerializer(né)", b, err, 'n', 0xc3, 0xa9)
}

func TestFixedSizes(t *testing.T) {
	wrongSize(t, serde.Bool, 1)
	wrongSize(t, serde.Int, 8)
	wrongSize(t, serde.Int64, 8)
	wrongSize(t, serde.Int32, 4)
	wrongSize(t, serde.Int16, 2)
	wrongSize(t, serde.Int8, 1)
	wrongSize(t, serde.Uint64, 8)
	wrongSize(t, serde.Uint32, 4)
	wrongSize(t, serde.Uint16, 2)
	wrongSize(t, serde.Uint8, 1)
	wrongSize(t, serde.Float64, 8)
	wrongSize(t, serde.Float32, 4)
}

func wrongSize[T any](t *testing.T, s serde.Serde[T], want int) {
	t.Helper()
	for size := range 20 {
		v, err := s.Decode(make([]byte, size))
		if size == want {
			if err != nil {
				t.Errorf("%T: %d bytes: %v", v, size, err)
			}
			continue
		}
		var e *serde.Error
		if !errors.Is(err, serde.ErrSize) || !errors.As(err, &e) || e.Size != size || e.Want != want {
			t.Errorf("%T: %d bytes: %v (%#v)", v, size, err, e)
		}
	}
}

func TestErrors(t *testing.T) {
	_, err := serde.Int64.Decode([]byte("abc"))
	if got, want := err.Error(), "serde: decode int64: have 3 bytes, want 8"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = serde.JSON[flight]().Decode([]byte(`{"id":1}`))
	if got, want := err.Error(), "serde: decode serde_test.flight from 8 bytes: json:"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want prefix %q", got, want)
	}
	_, err = serde.JSON[float64]().Append(nil, math.NaN())
	var e *serde.Error
	if !errors.As(err, &e) || e.Op != serde.Encode || e.Type != "float64" {
		t.Errorf("got %v", err)
	}
	if _, err := serde.Pointer(serde.String).Append(nil, nil); !errors.As(err, &e) || e.Type != "*string" {
		t.Errorf("got %v", err)
	}
	if _, err := serde.Bool.Decode([]byte{2}); !errors.As(err, &e) || errors.Is(err, serde.ErrSize) {
		t.Errorf("got %v", err)
	}
}

func TestBytes_ViewAndClone(t *testing.T) {
	src := []byte("abcdef")
	v, err := serde.Bytes.Decode(src[:3])
	if err != nil {
		t.Fatal(err)
	}
	if &v[0] != &src[0] {
		t.Error("Decode copied")
	}
	if _ = append(v, 'X'); src[3] != 'd' {
		t.Errorf("appending to the view reached beyond it: %q", src)
	}
	c := serde.Bytes.(serde.Cloner[[]byte]).Clone(v)
	src[0] = 'z'
	if string(c) != "abc" {
		t.Errorf("clone = %q", c)
	}
	if v, err := serde.Bytes.Decode(nil); v == nil || err != nil {
		t.Errorf("Decode(nil) = %v, %v: nil would be null", v, err)
	}
	if c := serde.Bytes.(serde.Cloner[[]byte]).Clone([]byte{}); c == nil {
		t.Error("the clone of nothing is null")
	}
}

func TestPointer_Cloner(t *testing.T) {
	p := serde.Pointer(serde.Bytes)
	src := []byte("abc")
	v, err := p.Decode(src)
	if err != nil {
		t.Fatal(err)
	}
	c := p.(serde.Cloner[*[]byte]).Clone(v)
	src[0] = 'z'
	if string(*c) != "abc" {
		t.Errorf("clone = %q", *c)
	}
	if _, ok := serde.Pointer(serde.String).(serde.Cloner[*string]); ok {
		t.Error("a pointer to a string needs no clone")
	}
}

// TestDecode_NoState has each Decode come after one that filled everything.
func TestDecode_NoState(t *testing.T) {
	full := flight{ID: "x", Seats: 1, Stops: []string{"a", "b"}, Tags: map[string]string{"k": "v"}}
	for name, s := range map[string]serde.Serde[flight]{"JSON": serde.JSON[flight](), "Msgpack": serde.Msgpack[flight]()} {
		filled, err := s.Append(nil, full)
		if err != nil {
			t.Fatal(err)
		}
		for _, empty := range [][]byte{[]byte(`{}`), {0x80}} {
			first, err := s.Decode(filled)
			if err != nil {
				t.Fatal(err)
			}
			second, err := s.Decode(empty)
			if err != nil {
				continue // the other one's empty
			}
			if !reflect.DeepEqual(second, flight{}) {
				t.Errorf("%s: an empty one decoded to %+v", name, second)
			}
			if !reflect.DeepEqual(first, full) {
				t.Errorf("%s: the first became %+v", name, first)
			}
		}
	}
}

func TestTrailingBytes(t *testing.T) {
	for _, bad := range []string{`{}{}`, `{}x`, `{} ]`, "{}\x00"} {
		if v, err := serde.JSON[flight]().Decode([]byte(bad)); err == nil {
			t.Errorf("JSON took %q as %+v", bad, v)
		}
	}
	if _, err := serde.JSON[flight]().Decode([]byte("{} \n")); err != nil {
		t.Errorf("white space: %v", err)
	}
	if v, err := serde.Msgpack[flight]().Decode([]byte{0x80, 0x80}); err == nil {
		t.Errorf("Msgpack took two values as %+v", v)
	}
}

// TestConcurrent lets the race detector see the pools.
func TestConcurrent(t *testing.T) {
	for _, s := range []serde.Serde[flight]{serde.JSON[flight](), serde.Msgpack[flight]()} {
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				want := flight{ID: strings.Repeat("x", g), Seats: g, Stops: []string{"a"}}
				for range 200 {
					b, err := s.Append(nil, want)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := s.Decode(b); err != nil || !reflect.DeepEqual(got, want) {
						t.Errorf("got %+v, %v, want %+v", got, err, want)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}
