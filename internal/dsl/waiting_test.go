package dsl

import (
	"testing"

	"github.com/leatstream/leat/serde"
)

// FuzzWaiting reads any bytes as a change that waits: what can be read is written
// and read again as the same.
func FuzzWaiting(f *testing.F) {
	s := waitingSerde[string]{serde.String}
	for _, w := range []waiting[string]{
		{},
		{New: "n", HasNew: true, Time: 7},
		{Old: "o", HasOld: true, Stale: true, Time: -1},
		{New: "", HasNew: true, Old: "old", HasOld: true, Last: "last", HasLast: true},
	} {
		src, err := s.Append(nil, w)
		if err != nil {
			f.Fatal(err)
		}
		if got, err := s.Decode(src); err != nil || got != w {
			f.Fatalf("%+v became %+v, %v", w, got, err)
		}
		f.Add(src)
		f.Add(src[:len(src)/2])
	}
	f.Add([]byte{flagNew, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, src []byte) {
		w, err := s.Decode(src)
		if err != nil {
			return
		}
		again, err := s.Append(nil, w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Decode(again); err != nil || got != w {
			t.Fatalf("%+v became %+v, %v", w, got, err)
		}
	})
}
