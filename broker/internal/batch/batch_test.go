package batch_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
)

var codecs = []batch.Codec{batch.None, batch.Gzip, batch.Snappy, batch.LZ4, batch.Zstd}

func build(t testing.TB, h batch.Header, recs ...batch.Record) []byte {
	t.Helper()
	for i := range recs {
		recs[i].OffsetDelta = int32(i)
	}
	b, err := batch.Append(nil, h, recs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func withCodec(c batch.Codec) batch.Header {
	h := batch.New()
	h.Attributes = batch.Attributes(c)
	return h
}

func genBytes(t *rapid.T, label string) []byte {
	if rapid.IntRange(0, 4).Draw(t, label+" is null") == 0 {
		return nil
	}
	return append([]byte{}, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, label)...)
}

func genRecords(t *rapid.T) []batch.Record {
	recs := make([]batch.Record, rapid.IntRange(1, 20).Draw(t, "records"))
	for i := range recs {
		r := &recs[i]
		r.OffsetDelta = int32(i)
		r.Timestamp = rapid.Int64Range(-1, 1<<42).Draw(t, "timestamp")
		r.Key, r.Value = genBytes(t, "key"), genBytes(t, "value")
		r.Headers = []byte{}
		for range rapid.IntRange(0, 3).Draw(t, "headers") {
			r.Headers = batch.AppendHeader(r.Headers, string(genBytes(t, "name")), genBytes(t, "header"))
			r.HeaderCount++
		}
	}
	return recs
}

func TestAppendThenReadIsIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		recs := genRecords(t)
		h := withCodec(rapid.SampledFrom(codecs).Draw(t, "codec"))
		h.BaseOffset = rapid.Int64Range(0, 1<<50).Draw(t, "base")
		b, err := batch.Append([]byte("before"), h, recs)
		if err != nil {
			t.Fatal(err)
		}
		b = b[len("before"):]
		got, err := batch.Frame(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got.BaseOffset != h.BaseOffset || int(got.Count) != len(recs) || got.LastOffset() != h.BaseOffset+int64(len(recs))-1 {
			t.Fatalf("header %+v", got)
		}
		i := 0
		for r, err := range batch.All(b) {
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprintf("%#v", r) != fmt.Sprintf("%#v", recs[i]) {
				t.Fatalf("record %d is %#v, want %#v", i, r, recs[i])
			}
			i++
		}
		if i != len(recs) {
			t.Fatalf("%d records, want %d", i, len(recs))
		}
	})
}

// The protocol library used by clients must agree on every field.
func TestHeaderAgreesWithKmsg(t *testing.T) {
	h := batch.Header{
		BaseOffset: 1 << 40, LeaderEpoch: 7, Attributes: batch.Transactional,
		ProducerID: 99, ProducerEpoch: 3, BaseSequence: 12,
	}
	b := build(t, h, batch.Record{Timestamp: 1000, Key: []byte("k")}, batch.Record{Timestamp: 900, Value: []byte("v")})
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	got, err := batch.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	want := batch.Header{
		BaseOffset: k.FirstOffset, Length: k.Length, LeaderEpoch: k.PartitionLeaderEpoch, Magic: k.Magic,
		CRC: uint32(k.CRC), Attributes: batch.Attributes(k.Attributes), LastOffsetDelta: k.LastOffsetDelta,
		BaseTimestamp: k.FirstTimestamp, MaxTimestamp: k.MaxTimestamp, ProducerID: k.ProducerID,
		ProducerEpoch: k.ProducerEpoch, BaseSequence: k.FirstSequence, Count: k.NumRecords,
	}
	if got != want {
		t.Errorf("header %+v, kmsg has %+v", got, want)
	}
	if got.MaxTimestamp != 1000 || got.BaseTimestamp != 1000 || got.LastSequence() != 13 {
		t.Errorf("header %+v", got)
	}
	var r kmsg.Record
	if err := r.ReadFrom(k.Records); err != nil || string(r.Key) != "k" || r.Value != nil {
		t.Errorf("kmsg reads %+v, %v", r, err)
	}
}

func TestSequenceWraps(t *testing.T) {
	h := batch.Header{BaseSequence: 1<<31 - 2, LastOffsetDelta: 3}
	if got := h.LastSequence(); got != 1 {
		t.Errorf("sequence after the largest int32 is %d, want 1", got)
	}
}

func TestReaderReportsWhatIsNotThere(t *testing.T) {
	good := build(t, batch.New(), batch.Record{Key: []byte("a")}, batch.Record{Key: []byte("b")})
	for name, change := range map[string]func(b []byte) []byte{
		"more records than bytes": func(b []byte) []byte { binary.BigEndian.PutUint32(b[57:], 3); return b },
		"more bytes than records": func(b []byte) []byte { binary.BigEndian.PutUint32(b[57:], 1); return b },
		"negative count":          func(b []byte) []byte { binary.BigEndian.PutUint32(b[57:], 1<<31); return b },
		"cut off":                 func(b []byte) []byte { return b[:len(b)-1] },
		"length of a record":      func(b []byte) []byte { b[61] = 0x7e; return b },
		"no codec 5":              func(b []byte) []byte { b[22] |= 5; return b },
		"not gzip":                func(b []byte) []byte { b[22] |= 1; return b },
		"magic 1":                 func(b []byte) []byte { b[16] = 1; return b },
	} {
		var last error
		for _, err := range batch.All(change(bytes.Clone(good))) {
			last = err
		}
		if !errors.Is(last, batch.ErrCorrupt) {
			t.Errorf("%s: error %v", name, last)
		}
	}
}

func TestInflateIsBounded(t *testing.T) {
	for _, c := range codecs[1:] {
		b := build(t, withCodec(c), batch.Record{Value: make([]byte, 1<<20)})
		var r batch.Reader
		if err := r.Reset(b, 1<<16); !errors.Is(err, batch.ErrInflated) {
			t.Errorf("%s: %v", c, err)
		}
		if err := r.Reset(b, 2<<20); err != nil || !r.Next() || len(r.Record().Value) != 1<<20 {
			t.Errorf("%s with room: %v", c, err)
		}
		r.Close()
	}
}

func TestXerialSnappy(t *testing.T) {
	// Two blocks in the Java library's framing around literals of snappy.
	inner := build(t, batch.New(), batch.Record{Key: []byte("abc"), Value: []byte("defg")})[batch.HeaderSize:]
	literal := func(b []byte) []byte {
		return append([]byte{byte(len(b)), byte(len(b)-1) << 2}, b...)
	}
	framed := append([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}, 0, 0, 0, 1, 0, 0, 0, 1)
	for _, part := range [][]byte{inner[:5], inner[5:]} {
		l := literal(part)
		framed = binary.BigEndian.AppendUint32(framed, uint32(len(l)))
		framed = append(framed, l...)
	}
	b := build(t, withCodec(batch.Snappy), batch.Record{})
	b = append(b[:batch.HeaderSize], framed...)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-batch.FrameSize))
	n := 0
	for r, err := range batch.All(b) {
		if err != nil || string(r.Key) != "abc" || string(r.Value) != "defg" {
			t.Errorf("record %+v, %v", r, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

func TestCodeOf(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int16
	}{
		{nil, 0},
		{errors.New("x"), -1},
		{fmt.Errorf("x: %w", kerr.OffsetOutOfRange), 1},
		{fmt.Errorf("x: %w", batch.Errorf(kerr.InvalidRecord, "y")), 87},
	} {
		if got := batch.CodeOf(test.err); got != test.want {
			t.Errorf("code of %v is %d, want %d", test.err, got, test.want)
		}
	}
}
