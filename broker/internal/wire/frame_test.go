package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/internal/clock"
)

// frame puts a length before b.
func frame(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

func memory(n int64) *Memory { return NewMemory(n, clock.System, time.Minute) }

func limit(n int) func(int16) int { return func(int16) int { return n } }

func TestReadFrame(t *testing.T) {
	ok := []byte{0, 1, 0, 2, 0, 0, 0, 3, 0xff, 0xff}
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"good":                  {frame(ok), nil},
		"nothing":               {nil, io.EOF},
		"ends in length":        {[]byte{0, 0}, io.ErrUnexpectedEOF},
		"ends in frame":         {frame(ok)[:9], io.ErrUnexpectedEOF},
		"zero":                  {make([]byte, 10), ErrFrame},
		"negative":              {[]byte{0xff, 0xff, 0xff, 0xff, 0, 1}, ErrFrame},
		"huge":                  {[]byte{0x7f, 0xff, 0xff, 0xff, 0, 1}, ErrFrame},
		"too large for the key": {frame(make([]byte, 101)), ErrFrame},
	} {
		got, err := readFrame(t.Context(), bufio.NewReader(bytes.NewReader(c.in)), false, limits{memory: memory(1000), bytes: limit(100)})
		if !errors.Is(err, c.want) || err == nil && !bytes.Equal(got.bytes, ok) {
			t.Errorf("%s: %x, %v; want %v", name, got.bytes, err, c.want)
		}
	}
}

func TestReadFrame_LargerThanFirstAllocation(t *testing.T) {
	in := make([]byte, 5*grow+7)
	for i := range in {
		in[i] = byte(i * 7)
	}
	for _, total := range []int64{1, 2 * grow, 100 * grow} {
		m := memory(total)
		got, err := readFrame(t.Context(), bufio.NewReader(bytes.NewReader(frame(in))), false, limits{memory: m, bytes: limit(len(in))})
		if err != nil || !bytes.Equal(got.bytes, in) {
			t.Errorf("%d bytes, %v", len(got.bytes), err)
		}
		m.free(got, true)
		if !m.left.TryAcquire(total) {
			t.Errorf("of %d bytes some are not given back", total)
		}
	}
}

// TestReadFrame_WaitsForMemory has a frame that arrives while another holds all
// the memory there is.
func TestReadFrame_WaitsForMemory(t *testing.T) {
	in := frame(make([]byte, 3*grow))
	synctest.Test(t, func(t *testing.T) {
		read := func(m *Memory) (inbound, error) {
			return readFrame(t.Context(), bufio.NewReader(bytes.NewReader(in)), false, limits{memory: m, bytes: limit(len(in))})
		}
		m := memory(4 * grow)
		first, err := read(m)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := read(m); !errors.Is(err, errMemory) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		go func() {
			time.Sleep(time.Second)
			m.free(first, true)
		}()
		if _, err := read(m); err != nil || time.Since(began) != time.Minute+time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestReadFrame_Raw(t *testing.T) {
	for _, in := range []string{"", "x", "a longer one"} {
		got, err := readFrame(t.Context(), bufio.NewReader(bytes.NewReader(frame([]byte(in)))), true, limits{memory: memory(1000), bytes: limit(100)})
		if err != nil || string(got.bytes) != in {
			t.Errorf("%q: %q, %v", in, got.bytes, err)
		}
	}
}

func TestParseHeader(t *testing.T) {
	h, rest, err := parseHeader([]byte{0, 3, 0, 9, 0, 0, 0, 7, 0, 2, 'i', 'd', 0, 'b'})
	if err != nil || h != (Header{3, 9, 7, "id"}) || string(rest) != "\x00b" {
		t.Errorf("%+v, %q, %v", h, rest, err)
	}
	r := Request{Header: h, Body: rest}
	if err := r.Flexible(); err != nil || string(r.Body) != "b" {
		t.Errorf("body %q, %v", r.Body, err)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0, 3, 0, 9, 0, 0, 0, 7, 0, 2, 'i', 'd', 1, 5, 1, 'x', 'b'})
	f.Add([]byte{0, 18, 0, 4, 0, 0, 0, 0, 0xff, 0xff, 0})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, rest, err := parseHeader(b)
		if err != nil {
			return
		}
		if len(h.ClientID)+len(rest) > len(b) {
			t.Fatalf("%d bytes made %d", len(b), len(h.ClientID)+len(rest))
		}
		r := Request{Header: h, Body: rest}
		if r.Flexible() == nil && len(r.Body) >= len(rest) {
			t.Fatal("tagged fields take no bytes")
		}
	})
}

func TestCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		flexible := rapid.Bool().Draw(t, "flexible")
		s := rapid.StringN(1, 50, 200).Draw(t, "string")
		n := rapid.IntRange(0, 20).Draw(t, "array")
		b := AppendString(nil, s, flexible)
		b = AppendNullableString(b, "", flexible)
		b = AppendArray(b, n, flexible)
		b = append(b, make([]byte, n)...)
		c := NewCursor(b, flexible)
		if got := string(c.String()); got != s {
			t.Fatalf("string %q, want %q", got, s)
		}
		if got := c.String(); got != nil {
			t.Fatalf("null string %q", got)
		}
		if got := c.Array(1); got != n || c.Err() != nil {
			t.Fatalf("array %d, want %d (%v)", got, n, c.Err())
		}
		c.Fixed(n)
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
		if c.Int32(); !errors.Is(c.Err(), ErrFrame) {
			t.Fatalf("past the end: %v", c.Err())
		}
	})
}

func TestCursor_ArrayLargerThanBody(t *testing.T) {
	c := NewCursor([]byte{0x7f, 0xff, 0xff, 0xff, 1, 2, 3}, false)
	if n := c.Array(2); n != 0 || !errors.Is(c.Err(), ErrFrame) {
		t.Errorf("%d elements, %v", n, c.Err())
	}
}
