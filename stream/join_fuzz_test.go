package stream

import (
	"bytes"
	"testing"

	"github.com/leatstream/leat/serde"
)

// FuzzSided reads arbitrary bytes as a stored left record of a join.
func FuzzSided(f *testing.F) {
	s := sidedSerde[string]{value: serde.String}
	for _, v := range []sided[string]{{}, {value: "a", waits: true}, {value: "béé"}} {
		b, err := s.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{2, 'x'})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := s.Decode(src)
		if err != nil {
			return
		}
		b, err := s.Append(nil, v)
		if err != nil || !bytes.Equal(b, src) {
			t.Errorf("%q became %q, %v", src, b, err)
		}
	})
}
