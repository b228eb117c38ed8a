package table

import (
	"bytes"
	"testing"
)

// FuzzSubscription reads arbitrary bytes as what a left side sends.
func FuzzSubscription(f *testing.F) {
	for _, s := range []subscription{{}, {what: forgetAnswer, partition: 1<<31 - 1, version: 1<<64 - 1, key: []byte("k")}} {
		f.Add(s.append(nil))
	}
	f.Add([]byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Add([]byte{2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := decodeSubscription(src)
		if err != nil {
			return
		}
		again, err := decodeSubscription(s.append(nil))
		if err != nil || again.what != s.what || again.partition != s.partition || again.version != s.version || !bytes.Equal(again.key, s.key) {
			t.Errorf("%x became %+v, then %+v, %v", src, s, again, err)
		}
	})
}

// FuzzResponse reads arbitrary bytes as what a right side answers.
func FuzzResponse(f *testing.F) {
	for _, r := range []response{{}, {flags: hasRow | hasForeign, version: 300, foreign: []byte("fk"), row: []byte("row")}} {
		f.Add(r.append(nil))
	}
	f.Add([]byte{1, 0, 0, 9, 'x'})
	f.Add([]byte{1, 8, 0, 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := decodeResponse(src)
		if err != nil {
			return
		}
		again, err := decodeResponse(r.append(nil))
		if err != nil || again.flags != r.flags || again.version != r.version || !bytes.Equal(again.foreign, r.foreign) || !bytes.Equal(again.row, r.row) {
			t.Errorf("%x became %+v, then %+v, %v", src, r, again, err)
		}
	})
}

// FuzzReference reads arbitrary bytes as a stored reference.
func FuzzReference(f *testing.F) {
	var s referenceSerde
	for _, r := range []reference{{}, {version: 1 << 40, foreign: "fk", refers: true}, {version: 1, gone: true}} {
		b, err := s.Append(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{4, 0})
	f.Fuzz(func(t *testing.T, src []byte) {
		r, err := s.Decode(src)
		if err != nil {
			return
		}
		b, err := s.Append(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.Decode(b); err != nil || again != r {
			t.Errorf("%x became %+v, then %+v, %v", src, r, again, err)
		}
	})
}
