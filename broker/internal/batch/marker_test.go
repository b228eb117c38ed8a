package batch

import (
	"errors"
	"testing"
)

func TestMarker(t *testing.T) {
	for _, want := range []Marker{{Commit, 0}, {Abort, 7}, {Abort, -1}} {
		b, err := AppendMarker([]byte("x"), want, 5, 2, 99)
		if err != nil {
			t.Fatal(err)
		}
		b = b[1:]
		h, err := Frame(b, 0)
		if err != nil || !h.Attributes.Has(Control|Transactional) || h.ProducerID != 5 || h.ProducerEpoch != 2 || h.MaxTimestamp != 99 || h.BaseSequence != -1 {
			t.Errorf("%+v, %v", h, err)
		}
		if got, ok, err := ParseMarker(b); got != want || !ok || err != nil {
			t.Errorf("%+v becomes %+v, %t, %v", want, got, ok, err)
		}
		if !PeekTransactional(b) || PeekTransactional(b[:HeaderSize-1]) {
			t.Error("not known as transactional, or known from too little")
		}
		// A client may not write it, and the broker may.
		if err := Validate(b, &h, Rules{}); err == nil {
			t.Error("a client wrote a marker")
		}
		if err := Validate(b, &h, Rules{Depth: HeaderOnly, AllowControl: true}); err != nil {
			t.Error(err)
		}
		h.LastOffsetDelta = 0
		empty, err := Append(nil, h, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := ParseMarker(empty); ok || err != nil {
			t.Errorf("an emptied batch has a marker: %t, %v", ok, err)
		}
	}
}

func FuzzParseMarker(f *testing.F) {
	b, err := AppendMarker(nil, Marker{Commit, 3}, 1, 2, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:HeaderSize])
	short, err := Append(nil, New(), []Record{{Key: []byte{0, 0}, Value: []byte{0}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(short)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok, err := ParseMarker(b)
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrInflated) {
			t.Logf("%v", err) // of a decompressor
		}
		if ok && (err != nil || m.Outcome > Commit) {
			t.Errorf("%+v, %v", m, err)
		}
	})
}
