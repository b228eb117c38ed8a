package cache

import (
	"bytes"
	"testing"
)

// What can be decoded as a timer is encoded as it was.
func FuzzRing(f *testing.F) {
	b, _ := RingSerde.Append(nil, Ring{Due: 5, Every: 7})
	f.Add(b)
	f.Add([]byte("short"))
	f.Add(bytes.Repeat([]byte{0xff}, ringLen))
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := RingSerde.Decode(src)
		if err != nil {
			return
		}
		if again, _ := RingSerde.Append(nil, r); !bytes.Equal(again, src) {
			t.Errorf("%x is %+v, which is %x", src, r, again)
		}
	})
}
