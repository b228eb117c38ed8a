package window_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
	"pgregory.net/rapid"
)

func TestKeySerde(t *testing.T) {
	s := window.KeySerde(serde.String)
	b, err := s.Append([]byte("x"), window.Key[string]{Key: "ab", Span: window.Span{StartMS: 1, EndMS: 258}})
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte("xab\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01\x02"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Int64().Draw(t, "start")
		want := window.Key[string]{
			Key:  rapid.String().Draw(t, "key"),
			Span: window.Span{StartMS: start, EndMS: rapid.Int64Min(start).Draw(t, "end")},
		}
		b, err := s.Append(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Decode(b); got != want || err != nil {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}

func TestKeySerde_BadBytes(t *testing.T) {
	var e *serde.Error
	if _, err := window.KeySerde(serde.String).Decode(make([]byte, 15)); !errors.As(err, &e) || e.Size != 15 || e.Type != "window.Key[string]" {
		t.Errorf("15 bytes: %v", err)
	}
	backwards := make([]byte, 16)
	backwards[7] = 1
	if _, err := window.KeySerde(serde.String).Decode(backwards); !errors.As(err, &e) {
		t.Errorf("ends before it starts: %v", err)
	}
	if _, err := window.KeySerde(serde.Int64).Decode(make([]byte, 23)); !errors.Is(err, serde.ErrSize) {
		t.Errorf("a key of 7 bytes: %v", err)
	}
	if _, err := window.KeySerde(serde.Pointer(serde.String)).Append(nil, window.Key[*string]{}); !errors.As(err, &e) {
		t.Errorf("a nil key: %v", err)
	}
}

func TestKeySerde_Cloner(t *testing.T) {
	s := window.KeySerde(serde.Bytes)
	src := append([]byte("ab"), make([]byte, 16)...)
	k, err := s.Decode(src)
	if err != nil {
		t.Fatal(err)
	}
	if cap(k.Key) != 2 {
		t.Error("appending to the key would write over the window")
	}
	c := s.(serde.Cloner[window.Key[[]byte]]).Clone(k)
	src[0] = 'x'
	if string(k.Key) != "xb" || string(c.Key) != "ab" {
		t.Errorf("view %q, clone %q", k.Key, c.Key)
	}
	if _, ok := window.KeySerde(serde.String).(serde.Cloner[window.Key[string]]); ok {
		t.Error("strings need no clone")
	}
}

func FuzzKeySerde(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 15))
	f.Add([]byte("key\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02"))
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x01\x80\x00\x00\x00\x00\x00\x00\x02"))
	s := window.KeySerde(serde.Bytes)
	f.Fuzz(func(t *testing.T, src []byte) {
		k, err := s.Decode(src)
		if err != nil {
			return
		}
		if b, err := s.Append(nil, k); err != nil || !bytes.Equal(b, src) {
			t.Fatalf("%x decoded to %v, and that is written as %x, %v", src, k, b, err)
		}
	})
}
