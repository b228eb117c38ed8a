package batch_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
)

const now = 1_700_000_000_000

func rules() batch.Rules {
	return batch.Rules{Now: now, AfterMax: time.Hour, BeforeMax: -1}
}

// reseal makes the CRC right after a change, as a lying client would.
func reseal(b []byte) []byte {
	binary.BigEndian.PutUint32(b[17:], batch.Checksum(b))
	return b
}

func accept(b []byte, maxBytes int, r batch.Rules) (batch.Header, error) {
	h, err := batch.Frame(b, maxBytes)
	if err == nil {
		err = batch.Validate(b, &h, r)
	}
	return h, err
}

// The codes are those that a real broker answered.
func TestValidateRefuses(t *testing.T) {
	three := func() []byte {
		return build(t, batch.New(),
			batch.Record{Timestamp: now, Key: []byte("a")},
			batch.Record{Timestamp: now + 1, Key: []byte("b")},
			batch.Record{Timestamp: now + 2, Key: []byte("c")})
	}
	put32 := func(at int, v uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[at:], v); return reseal(b) }
	}
	flag := func(f byte) func([]byte) []byte {
		return func(b []byte) []byte { b[22] |= f; return reseal(b) }
	}
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
		want   *kerr.Error
	}{
		{"bad crc", func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, kerr.CorruptMessage},
		{"two batches", func(b []byte) []byte { return append(b, three()...) }, kerr.InvalidRecord},
		{"nothing", func([]byte) []byte { return nil }, kerr.InvalidRecord},
		{"truncated", func(b []byte) []byte { return b[:len(b)-3] }, kerr.InvalidRecord},
		{"magic 1", func(b []byte) []byte { b[16] = 1; return b }, kerr.InvalidRecord},
		{"too large", func(b []byte) []byte {
			return build(t, batch.New(), batch.Record{Value: make([]byte, 2000)})
		}, kerr.MessageTooLarge},
		{"control batch", flag(0x20), kerr.InvalidRecord},
		{"count below offsets", put32(57, 2), kerr.InvalidRecord},
		{"offsets below count", put32(23, 1), kerr.InvalidRecord},
		{"both too large", func(b []byte) []byte { return put32(57, 4)(put32(23, 3)(b)) }, kerr.InvalidRecord},
		{"negative delta", func(b []byte) []byte { return put32(57, 0)(put32(23, math.MaxUint32)(b)) }, kerr.InvalidRecord},
		{"codec 7", flag(7), kerr.UnknownServerError},
		{"not gzip", flag(1), kerr.InvalidRecord},
		{"producer without sequence", func(b []byte) []byte { binary.BigEndian.PutUint64(b[43:], 5); return reseal(b) }, kerr.InvalidRecord},
		{"future", func([]byte) []byte {
			return build(t, batch.New(), batch.Record{Timestamp: now + 2*time.Hour.Milliseconds()})
		}, kerr.InvalidTimestamp},
	} {
		_, err := accept(test.change(three()), 1000, rules())
		if !errors.Is(err, test.want) || batch.CodeOf(err) != test.want.Code {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	if h, err := accept(three(), 1000, rules()); err != nil || h.MaxTimestamp != now+2 {
		t.Errorf("good batch: %+v, %v", h, err)
	}
}

func TestValidateTellsRecordsApart(t *testing.T) {
	for _, codec := range codecs {
		b := build(t, withCodec(codec),
			batch.Record{Timestamp: now, Key: []byte("a")},
			batch.Record{Timestamp: now},
			batch.Record{Timestamp: now},
			batch.Record{Timestamp: now},
			batch.Record{Timestamp: now})
		r := rules()
		r.Keyed = true
		_, err := accept(b, 0, r)
		e, ok := errors.AsType[*batch.Error](err)
		if !ok || e.Code() != kerr.InvalidRecord.Code {
			t.Fatalf("%s: %v", codec, err)
		}
		if len(e.Records) != 3 || e.Records[0].Index != 1 || e.Records[2].Index != 3 {
			t.Errorf("%s: records %v", codec, e.Records)
		}
	}
}

func TestValidateTimes(t *testing.T) {
	record := func(ts int64) []byte { return build(t, batch.New(), batch.Record{Timestamp: ts}) }
	if h, err := accept(record(-1), 0, rules()); err != nil || h.MaxTimestamp != -1 {
		t.Errorf("no timestamp: %+v, %v", h, err)
	}
	strict := rules()
	strict.BeforeMax = time.Minute
	if _, err := accept(record(now-time.Minute.Milliseconds()), 0, strict); err != nil {
		t.Errorf("at the edge: %v", err)
	}
	if _, err := accept(record(now-time.Minute.Milliseconds()-1), 0, strict); !errors.Is(err, kerr.InvalidTimestamp) {
		t.Errorf("too old: %v", err)
	}
	free := rules()
	free.AfterMax = -1
	if _, err := accept(record(1<<60), 0, free); err != nil {
		t.Errorf("any time: %v", err)
	}
}

// A forged maximum would keep a segment from ever expiring.
func TestValidateCorrectsMaxTimestamp(t *testing.T) {
	for _, codec := range codecs {
		b := build(t, withCodec(codec), batch.Record{Timestamp: now}, batch.Record{Timestamp: now - 5})
		binary.BigEndian.PutUint64(b[35:], now*2)
		if _, err := accept(reseal(b), 0, rules()); err != nil {
			t.Fatal(err)
		}
		h, err := batch.Frame(b, 0) // looks at the CRC
		if err != nil || h.MaxTimestamp != now {
			t.Errorf("%s: stored %+v, %v", codec, h, err)
		}
	}
}

func TestValidateLogAppendTime(t *testing.T) {
	b := build(t, batch.New(), batch.Record{Timestamp: 12345}, batch.Record{Timestamp: now * 3})
	r := rules()
	r.LogAppendTime = true
	h, err := accept(b, 0, r)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := batch.Frame(b, 0)
	if err != nil || stored != h {
		t.Errorf("stored %+v, returned %+v, %v", stored, h, err)
	}
	if !h.Attributes.Has(batch.LogAppendTime) || h.MaxTimestamp != now || h.BaseTimestamp != 12345 {
		t.Errorf("header %+v", h)
	}
	for rec := range batch.All(b) {
		if rec.Timestamp != now {
			t.Errorf("record at %d, want %d", rec.Timestamp, int64(now))
		}
	}
	// The other way round: a client's flag is not believed.
	if h, err = accept(b, 0, batch.Rules{Now: now, AfterMax: -1, BeforeMax: -1}); err != nil {
		t.Fatal(err)
	}
	if h.Attributes.Has(batch.LogAppendTime) || h.MaxTimestamp != now*3 {
		t.Errorf("header %+v", h)
	}
}

func TestHeaderOnlyBelieves(t *testing.T) {
	h := batch.New()
	h.Attributes = batch.Control
	b := build(t, h, batch.Record{Timestamp: now, Key: []byte{0, 0, 0, 1}})
	r := rules()
	r.Depth, r.AllowControl, r.Keyed = batch.HeaderOnly, true, true
	if _, err := accept(b, 0, r); err != nil {
		t.Error(err)
	}
}

func FuzzFrameAndValidate(f *testing.F) {
	for _, c := range codecs {
		f.Add(build(f, withCodec(c), batch.Record{Timestamp: now, Key: []byte("k"), Value: []byte("value")}, batch.Record{}), true)
	}
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, keyed bool) {
		if len(b) >= batch.HeaderSize {
			reseal(b) // get past the CRC
		}
		r := rules()
		r.Keyed, r.MaxInflated = keyed, 1<<20
		h, err := accept(b, 1<<20, r)
		if err != nil {
			if _, ok := errors.AsType[*batch.Error](err); !ok {
				t.Fatalf("refused without a code: %v", err)
			}
			return
		}
		if stored, err := batch.Frame(b, 0); err != nil || stored != h {
			t.Fatalf("accepted %+v, stored %+v, %v", h, stored, err)
		}
		n := int32(0)
		for rec, err := range batch.All(b) {
			if err != nil || rec.OffsetDelta != n || keyed && rec.Key == nil {
				t.Fatalf("accepted record %+v, %v", rec, err)
			}
			n++
		}
		if n != h.Count {
			t.Fatalf("%d records, header has %d", n, h.Count)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	recs := make([]batch.Record, 128)
	for i := range recs {
		recs[i] = batch.Record{Timestamp: now, Key: []byte("key"), Value: make([]byte, 100)}
	}
	for _, codec := range codecs {
		raw := build(b, withCodec(codec), recs...)
		b.Run(codec.String(), func(b *testing.B) {
			b.SetBytes(128 * 100)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := accept(raw, 0, rules()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
