package stream

import (
	"bytes"
	"testing"
)

func FuzzPassedSerde(f *testing.F) {
	f.Add(make([]byte, 24))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := passedSerde{}.Decode(src)
		if err != nil {
			return
		}
		if again, err := (passedSerde{}).Append(nil, p); err != nil || !bytes.Equal(again, src) {
			t.Errorf("%x became %x, %v", src, again, err)
		}
	})
}
