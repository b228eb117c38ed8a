package partition

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// model is what a log must look like from outside: a slice.
type model struct {
	start, end int64
	recs       []modelRecord // by offset, from the first that ever was
}

type modelRecord struct {
	offset, timestamp int64
	value             string
}

func (m *model) from(offset int64) []modelRecord {
	i, _ := slices.BinarySearchFunc(m.recs, offset, func(r modelRecord, at int64) int { return int(r.offset - at) })
	return m.recs[i:]
}

// Against any sequence of operations the log behaves like a slice that loses
// records at its start, whatever the sizes of its segments and its memory.
func TestLogIsASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fsys := vfs.NewMem()
		o, clk := testOptions(fsys)
		o.TailBytes = rapid.SampledFrom([]int{1, 10_000, 0}).Draw(t, "tail")
		c := testConfig()
		c.SegmentBytes = rapid.Int64Range(100, 2000).Draw(t, "segment.bytes")
		c.IndexIntervalBytes = rapid.IntRange(1, 500).Draw(t, "index.interval.bytes")
		c.Retention = time.Minute
		codec := rapid.SampledFrom([]batch.Codec{batch.None, batch.LZ4}).Draw(t, "codec")
		m := &model{}
		l := openRapid(t, o, c)
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) { m.append(t, l, codec, clk.ms) },
			"delete records": func(t *rapid.T) {
				before := rapid.Int64Range(-1, m.end+2).Draw(t, "before")
				start, err := l.DeleteRecords(before)
				if before > m.end {
					if !errors.Is(err, kerr.OffsetOutOfRange) {
						t.Fatalf("delete before %d of %d: %v", before, m.end, err)
					}
					return
				}
				if before == -1 {
					before = m.end
				}
				m.start = max(m.start, before)
				if err != nil || start != m.start {
					t.Fatalf("log start %d, %v, want %d", start, err, m.start)
				}
			},
			"time passes": func(t *rapid.T) {
				clk.advance(time.Duration(rapid.IntRange(0, 40).Draw(t, "seconds")) * time.Second)
			},
			"retain": func(t *rapid.T) { m.retain(t, l, clk) },
			"reopen": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = openRapid(t, o, c)
			},
			"kill and reopen": func(t *rapid.T) {
				// Everything was written; only what is in memory is lost.
				l = openRapid(t, o, c)
			},
			"": func(t *rapid.T) { m.check(t, l) },
		})
	})
}

func openRapid(t *rapid.T, o Options, c Config) *Log {
	l, err := Open(o, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (m *model) append(t *rapid.T, l *Log, codec batch.Codec, now int64) {
	h := batch.New()
	h.Attributes = batch.Attributes(codec)
	var recs []batch.Record
	for i := range rapid.IntRange(1, 4).Draw(t, "records") {
		ts := now - rapid.Int64Range(0, 5000).Draw(t, "age")
		value := fmt.Sprint("v", m.end+int64(i))
		recs = append(recs, batch.Record{OffsetDelta: int32(i), Timestamp: ts, Value: []byte(value)})
		m.recs = append(m.recs, modelRecord{m.end + int64(i), ts, value})
	}
	b, err := batch.Append(nil, h, recs)
	if err != nil {
		t.Fatal(err)
	}
	at, err := l.Append(b, AppendArgs{})
	if err != nil || at.BaseOffset != m.end {
		t.Fatalf("appended %+v, %v, want offset %d", at, err, m.end)
	}
	m.end += int64(len(recs))
}

// retain checks what retention did rather than foresee it: no record that is
// young enough may go, and no segment with only old ones may stay.
func (m *model) retain(t *rapid.T, l *Log, clk *testClock) {
	r, err := l.Retain(clk.Now())
	if err != nil || r.LogStart < m.start || r.LogStart > m.end {
		t.Fatalf("%+v, %v, log start was %d", r, err, m.start)
	}
	limit := clk.ms - time.Minute.Milliseconds()
	for _, rec := range m.from(m.start) {
		if rec.offset < r.LogStart && rec.timestamp >= limit {
			t.Fatalf("record %d of %d went, limit is %d", rec.offset, rec.timestamp, limit)
		}
	}
	m.start = r.LogStart
	if rest := m.from(m.start); len(rest) > 0 && !slices.ContainsFunc(rest, func(r modelRecord) bool { return r.timestamp >= limit }) {
		t.Fatalf("all %d records are too old and still there", len(rest))
	}
}

func (m *model) check(t *rapid.T, l *Log) {
	if b := l.Bounds(); b != (Bounds{m.start, m.end, m.end, m.end}) {
		t.Fatalf("bounds %+v, want %d to %d", b, m.start, m.end)
	}
	offset := rapid.Int64Range(m.start-1, m.end+1).Draw(t, "offset")
	maxBytes := rapid.SampledFrom([]int{1, 200, 1 << 20}).Draw(t, "max bytes")
	r, err := l.Read(nil, offset, maxBytes, AtLeastOne)
	if offset < m.start || offset > m.end {
		if !errors.Is(err, kerr.OffsetOutOfRange) {
			t.Fatalf("read at %d: %v", offset, err)
		}
		return
	}
	if err != nil || (r.Size == 0) != (offset == m.end) {
		t.Fatalf("read at %d: %d bytes, %v", offset, r.Size, err)
	}
	if n := l.Available(offset); (n == 0) != (offset == m.end) {
		t.Fatalf("%d bytes available at %d of %d", n, offset, m.end)
	}
	want := m.from(offset)
	batches := 0
	for _, data := range r.Data {
		for len(data) > 0 {
			h, b, rest, err := batch.Cut(data)
			if err != nil {
				t.Fatal(err)
			}
			if batches++; batches > 1 && maxBytes == 1 {
				t.Fatal("more than one batch in spite of the limit")
			}
			for rec, err := range batch.All(b) {
				at := h.BaseOffset + int64(rec.OffsetDelta)
				if err != nil {
					t.Fatal(err)
				}
				if at < offset {
					continue
				}
				if got := (modelRecord{at, rec.Timestamp, string(rec.Value)}); got != want[0] {
					t.Fatalf("read %+v, want %+v", got, want[0])
				}
				want = want[1:]
			}
			data = rest
		}
	}
	r.Release()
	m.checkTimes(t, l)
}

func (m *model) checkTimes(t *rapid.T, l *Log) {
	rest := m.from(m.start)
	ts := int64(base)
	if len(m.recs) > 0 {
		ts = rapid.SampledFrom(m.recs).Draw(t, "time of").timestamp + rapid.Int64Range(-1, 1).Draw(t, "plus")
	}
	offset, at, found, err := l.OffsetForTime(ts)
	i := slices.IndexFunc(rest, func(r modelRecord) bool { return r.timestamp >= ts })
	if err != nil || found != (i >= 0) || found && (offset != rest[i].offset || at != rest[i].timestamp) {
		t.Fatalf("time %d: offset %d at %d, %t, %v; want record %d of %v", ts, offset, at, found, err, i, rest)
	}
}
