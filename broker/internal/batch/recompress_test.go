package batch

import (
	"testing"

	"pgregory.net/rapid"
)

// TestRecompress: whatever the codecs, the records and the header are the same.
func TestRecompress(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := New()
		from, to := Codec(rapid.IntRange(0, 4).Draw(r, "from")), Codec(rapid.IntRange(0, 4).Draw(r, "to"))
		h.Attributes = Transactional | Attributes(from)
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = 7, 1, 9
		var recs []Record
		for i := range rapid.IntRange(1, 20).Draw(r, "records") {
			recs = append(recs, Record{
				OffsetDelta: int32(i), Timestamp: int64(1000 + i),
				Key: rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(r, "key"), Value: rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(r, "value"),
			})
		}
		b, err := Append(nil, h, recs)
		if err != nil {
			r.Fatal(err)
		}
		old, err := Parse(b)
		if err != nil {
			r.Fatal(err)
		}
		now := old
		out, err := Recompress([]byte("before"), b, &now, to, 0)
		if err != nil {
			r.Fatal(err)
		}
		out = out[len("before"):]
		got, err := Parse(out)
		if err != nil || CheckCRC(out, &got) != nil || got != now {
			r.Fatalf("%+v, %v", got, err)
		}
		if got.Attributes.Codec() != to || got.Size() != len(out) {
			r.Fatalf("%s, %d bytes of %d", got.Attributes.Codec(), got.Size(), len(out))
		}
		got.Attributes, got.Length, got.CRC = old.Attributes, old.Length, old.CRC
		if got != old {
			r.Fatalf("header %+v, was %+v", got, old)
		}
		i := 0
		for rec, err := range All(out) {
			if err != nil || string(rec.Key) != string(recs[i].Key) || string(rec.Value) != string(recs[i].Value) || rec.Timestamp != recs[i].Timestamp {
				r.Fatalf("record %d: %+v, %v", i, rec, err)
			}
			i++
		}
		if i != len(recs) {
			r.Fatalf("%d records of %d", i, len(recs))
		}
	})
}
