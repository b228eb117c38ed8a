package cache

import (
	"bytes"
	"strings"
	"testing"

	"github.com/leatstream/leat/internal/record"
	"pgregory.net/rapid"
)

// FuzzBufferCell reads any bytes as a cell: what can be read is written as the
// same bytes.
func FuzzBufferCell(f *testing.F) {
	f.Add(appendCell(nil, 5, -1, []byte("a\x00b"), 7))
	f.Add([]byte{rowCell, 0x80})
	f.Add(append(make([]byte, cellHead), 0, 2, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, src []byte) {
		time, sub, key, err := splitCell(string(src))
		if err != nil {
			return
		}
		again := appendCell(nil, time, sub, key, 0)
		if n := len(again) - 8; n != len(src)-8 || !bytes.Equal(again[:n], src[:n]) {
			t.Fatalf("%x is %d, %d, %x, which is %x", src, time, sub, key, again)
		}
		if cellTimeOf(string(src)) != time {
			t.Fatalf("the time of %x is %d, or %d", src, time, cellTimeOf(string(src)))
		}
	})
}

// FuzzBufferHeaders reads any bytes as headers and a value.
func FuzzBufferHeaders(f *testing.F) {
	f.Add(append(appendHeaders(nil, []record.Header{{Key: "h", Value: []byte("x")}, {Key: "null"}, {Value: []byte{}}}), "rest"...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{2, 1})
	f.Fuzz(func(t *testing.T, src []byte) {
		headers, rest, err := splitHeaders(src)
		if err != nil {
			return
		}
		again, left, err := splitHeaders(append(appendHeaders(nil, headers), rest...))
		if err != nil || !bytes.Equal(left, rest) || len(again) != len(headers) {
			t.Fatalf("%x: %v and %x became %v and %x: %v", src, headers, rest, again, left, err)
		}
		for i, h := range headers {
			if a := again[i]; a.Key != h.Key || !bytes.Equal(a.Value, h.Value) || (a.Value == nil) != (h.Value == nil) {
				t.Fatalf("header %v became %v", h, a)
			}
		}
	})
}

// The bytes of cells are in the order of what they hold.
func TestBufferCell_Order(t *testing.T) {
	key := rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 255}), 0, 4, -1)
	time := rapid.Int64Range(-2, 2)
	rapid.Check(t, func(t *rapid.T) {
		t1, t2, s1, s2 := time.Draw(t, "t1"), time.Draw(t, "t2"), time.Draw(t, "s1"), time.Draw(t, "s2")
		k1, k2 := key.Draw(t, "k1"), key.Draw(t, "k2")
		want := strings.Compare(k1, k2)
		if s1 != s2 {
			want = int(s1 - s2)
		}
		if t1 != t2 {
			want = int(t1 - t2)
		}
		got := bytes.Compare(appendCell(nil, t1, s1, []byte(k1), 0), appendCell(nil, t2, s2, []byte(k2), 0))
		if (got < 0) != (want < 0) || (got > 0) != (want > 0) {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}
