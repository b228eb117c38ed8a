package flex

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sample has a field of each kind.
type sample struct {
	A       int8
	B       uint16
	C       int32
	D       int64
	ID      [16]byte
	Name    string
	Null    *string
	Old     string
	Bytes   []byte
	Names   []string
	Numbers []int32
	Inner   []inner
	Maybe   *inner
	Other   *inner
	Tagged  int64
}

type inner struct {
	Name   string
	Epochs []int32
}

func (s *sample) schema(c *Coder) {
	c.Int8(&s.A)
	c.Uint16(&s.B)
	c.Int32(&s.C)
	c.Int64(&s.D)
	c.UUID(&s.ID)
	c.String(&s.Name)
	c.NullString(&s.Null)
	c.OldString(&s.Old)
	c.Bytes(&s.Bytes)
	c.Strings(&s.Names)
	c.Int32s(&s.Numbers)
	Slice(c, &s.Inner, func(i *inner) { i.schema(c) })
	if c.Null(s.Maybe != nil) {
		if c.Reading() {
			s.Maybe = &inner{}
		}
		s.Maybe.schema(c)
	}
	c.End(Tag{ID: 2, Set: s.Other != nil, Field: func(c *Coder) {
		if c.NullTagged(s.Other != nil) {
			if c.Reading() {
				s.Other = &inner{}
			}
			s.Other.schema(c)
		}
	}}, Tag{ID: 3, Set: s.Tagged != 0, Field: func(c *Coder) { c.Int64(&s.Tagged) }})
}

func (i *inner) schema(c *Coder) {
	c.String(&i.Name)
	c.End(Tag{ID: 0, Set: i.Epochs != nil, Field: func(c *Coder) { c.Int32s(&i.Epochs) }})
}

func genInner() *rapid.Generator[inner] {
	return rapid.Custom(func(t *rapid.T) inner {
		return inner{rapid.String().Draw(t, "name"), rapid.SliceOfN(rapid.Int32(), 1, 3).Draw(t, "epochs")}
	})
}

func TestCoder_ReadsWhatItWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := sample{
			A: rapid.Int8().Draw(t, "a"), B: rapid.Uint16().Draw(t, "b"), C: rapid.Int32().Draw(t, "c"), D: rapid.Int64().Draw(t, "d"),
			Name: rapid.String().Draw(t, "name"), Old: rapid.StringN(0, 100, 1000).Draw(t, "old"),
			Null:    rapid.Ptr(rapid.String(), true).Draw(t, "null"),
			Bytes:   rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"),
			Names:   rapid.SliceOf(rapid.String()).Draw(t, "names"),
			Numbers: rapid.SliceOf(rapid.Int32()).Draw(t, "numbers"),
			Inner:   rapid.SliceOf(genInner()).Draw(t, "inner"),
			Maybe:   rapid.Ptr(genInner(), true).Draw(t, "maybe"),
			Other:   rapid.Ptr(genInner(), true).Draw(t, "other"),
			Tagged:  rapid.Int64().Draw(t, "tagged"),
		}
		b := Encode(nil, in.schema)
		var out sample
		if err := Decode(b, out.schema); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(in, out); d != "" {
			t.Fatal(d)
		}
		for cut := range len(b) {
			var part sample
			if err := Decode(b[:cut], part.schema); !errors.Is(err, ErrShort) {
				t.Fatalf("%d of %d bytes: %v", cut, len(b), err)
			}
		}
	})
}

// The bytes are those of the protocol's guide.
func TestEncode_Bytes(t *testing.T) {
	null, name := (*string)(nil), "ab"
	got := Encode(nil, func(c *Coder) {
		c.String(&name)
		c.NullString(&null)
		c.Int32s(&[]int32{7})
		c.OldString(&name)
		c.End(Tag{ID: 1, Set: true, Field: func(c *Coder) { v := int16(5); c.Int16(&v) }})
	})
	if want := "03616200" + "0200000007" + "00026162" + "0101020005"; hex.EncodeToString(got) != want {
		t.Errorf("got %x, want %s", got, want)
	}
}

func TestDecode_SkipsUnknownTags(t *testing.T) {
	in := sample{Tagged: 9}
	b := Encode(nil, in.schema)
	b = append(b[:len(b)-11], 2, 1, 1, 0xff) // one more tag, before that of the field
	b = append(b, 3, 8, 0, 0, 0, 0, 0, 0, 0, 9)
	var out sample
	if err := Decode(b, out.schema); err != nil || out.Tagged != 9 {
		t.Errorf("got %d, %v", out.Tagged, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(nil, (&sample{Name: "n", Names: []string{"x"}, Maybe: &inner{}, Tagged: 1}).schema))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s sample
		if Decode(b, s.schema) != nil {
			return
		}
		again := Encode(nil, s.schema)
		var s2 sample
		if err := Decode(again, s2.schema); err != nil || !bytes.Equal(Encode(nil, s2.schema), again) {
			t.Fatalf("what was read can't be written and read: %v", err)
		}
	})
}
