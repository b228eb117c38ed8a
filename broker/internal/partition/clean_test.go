package partition

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

func compacting() Config {
	c := testConfig()
	c.Delete, c.Compact, c.MinDirtyRatio = false, true, 0
	c.SegmentBytes = 300
	return c
}

func put(t testing.TB, l *Log, key, value string) {
	t.Helper()
	mustAppend(t, l, encode(t, batch.New(), batch.Record{Timestamp: base, Key: []byte(key), Value: []byte(value)}))
}

func remove(t testing.TB, l *Log, key string) {
	t.Helper()
	mustAppend(t, l, encode(t, batch.New(), batch.Record{Timestamp: base, Key: []byte(key)}))
}

// seal rolls the active segment, so that all records may be compacted.
func seal(t testing.TB, l *Log) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.roll(); err != nil {
		t.Fatal(err)
	}
}

func mustClean(t testing.TB, l *Log, now time.Time) Cleaned {
	t.Helper()
	r, err := l.Clean(now)
	if err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.tail.drop() // the files are what is of interest
	l.mu.Unlock()
	return r
}

func TestCleanKeepsTheLastOfEachKey(t *testing.T) {
	fsys := vfs.NewMem()
	o, clk := testOptions(fsys)
	l := mustOpen(t, o, compacting())
	for i := range 30 {
		put(t, l, fmt.Sprint("k", i%3), fmt.Sprint("v", i))
	}
	seal(t, l)
	put(t, l, "k0", "active")
	c := compacting()
	c.SegmentBytes = 5000
	l.SetConfig(c)
	r := mustClean(t, l, clk.Now())
	if r.RecordsRead != 30 || r.RecordsKept != 3 || r.CleanedTo != 30 {
		t.Errorf("%+v", r)
	}
	want := "[{27 k0 v27 false} {28 k1 v28 false} {29 k2 v29 false} {30 k0 active false}]"
	for range 2 {
		if got := fmt.Sprint(readAll(t, l, 0, 1)); got != want {
			t.Errorf("read %s, want %s", got, want)
		}
		if n := l.Available(0); n <= 0 {
			t.Errorf("%d bytes available", n)
		}
		if r := mustClean(t, l, clk.Now()); r.Segments != 0 {
			t.Errorf("nothing is new, but %+v", r)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, o, compacting())
	}
	if offset, ts, ok, err := l.OffsetForTime(base); offset != 27 || ts != base || !ok || err != nil {
		t.Errorf("time: %d at %d, %t, %v", offset, ts, ok, err)
	}
	if len(l.segs) != 2 {
		t.Errorf("%d segments: small ones were not put together", len(l.segs))
	}
}

func TestTombstonesGoAfterTheirTime(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	l := mustOpen(t, o, compacting())
	put(t, l, "a", "1")
	put(t, l, "b", "2")
	remove(t, l, "a")
	seal(t, l)
	mustClean(t, l, clk.Now())
	if got := fmt.Sprint(readAll(t, l, 0, 100)); got != "[{1 b 2 false} {2 a  true}]" {
		t.Errorf("after the first round: %s", got)
	}
	clk.advance(24*time.Hour - time.Millisecond)
	put(t, l, "c", "3")
	seal(t, l)
	mustClean(t, l, clk.Now())
	if got := fmt.Sprint(readAll(t, l, 0, 100)); got != "[{1 b 2 false} {2 a  true} {3 c 3 false}]" {
		t.Errorf("before the time: %s", got)
	}
	clk.advance(time.Millisecond)
	put(t, l, "c", "4")
	seal(t, l)
	mustClean(t, l, clk.Now())
	if got := fmt.Sprint(readAll(t, l, 0, 100)); got != "[{1 b 2 false} {4 c 4 false}]" {
		t.Errorf("after the time: %s", got)
	}
}

func TestCleanKeepsWhatProducersNeed(t *testing.T) {
	fsys := vfs.NewMem()
	o, clk := testOptions(fsys)
	l := mustOpen(t, o, compacting())
	mustAppend(t, l, sentBy(t, 1, 0, 0, 2)) // superseded by the next producer
	for seq := range int32(8) {
		mustAppend(t, l, sentBy(t, 2, 0, seq, 1))
	}
	seal(t, l)
	mustClean(t, l, clk.Now())
	if got := len(readAll(t, l, 0, 100)); got != 1 {
		t.Errorf("%d records left, want 1", got)
	}
	offsets, err := l.snapshots()
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range offsets { // the batches alone must tell
		if err := l.removeSnapshot(at); err != nil {
			t.Fatal(err)
		}
	}
	l = mustOpen(t, o, compacting())
	if at := mustAppend(t, l, sentBy(t, 1, 0, 0, 2)); !at.Duplicate || at.BaseOffset != 0 || at.LastOffset != 1 {
		t.Errorf("retry: %+v", at)
	}
	if _, err := l.Append(sentBy(t, 1, 0, 7, 1), AppendArgs{}); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("gap: %v", err)
	}
}

func TestCleanLags(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	c := compacting()
	c.MinCompactionLag = time.Hour
	l := mustOpen(t, o, c)
	put(t, l, "a", "1")
	put(t, l, "a", "2")
	seal(t, l)
	if r := mustClean(t, l, clk.Now()); r.Segments != 0 {
		t.Errorf("too early: %+v", r)
	}
	clk.advance(time.Hour + time.Second)
	if r := mustClean(t, l, clk.Now()); r.RecordsKept != 1 {
		t.Errorf("after the lag: %+v", r)
	}
	// Little is new, and it is in the active segment: only the maximum helps.
	c.MinCompactionLag, c.MinDirtyRatio, c.MaxCompactionLag = 0, 0.99, 2*time.Hour
	l.SetConfig(c)
	put(t, l, "a", "3")
	if r := mustClean(t, l, clk.Now()); r.Segments != 0 {
		t.Errorf("not dirty: %+v", r)
	}
	clk.advance(2 * time.Hour)
	if r := mustClean(t, l, clk.Now()); r.RecordsKept != 1 {
		t.Errorf("after the maximum: %+v", r)
	}
	if got := fmt.Sprint(readAll(t, l, 0, 100)); got != "[{2 a 3 false}]" {
		t.Errorf("left %s", got)
	}
}

func TestCleanRefusesDamage(t *testing.T) {
	fsys := vfs.NewMem()
	o, clk := testOptions(fsys)
	l := mustOpen(t, o, compacting())
	put(t, l, "a", "1")
	put(t, l, "a", "2")
	seal(t, l)
	f, err := fsys.OpenFile(l.segs[0].Path(), vfs.Existing)
	if err != nil {
		t.Fatal(err)
	}
	second := l.segs[0].Size() / 2
	for _, at := range []int64{65, second} { // in a record, and in an offset, which has no checksum
		b := make([]byte, 1)
		if _, err := f.ReadAt(b, at); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{b[0] ^ 0x80}, at); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Clean(clk.Now()); !errors.Is(err, batch.ErrCorrupt) {
			t.Errorf("damage at %d: %v", at, err)
		}
		if _, err := f.WriteAt(b, at); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(readAllUnchecked(l)); got != 2 {
		t.Errorf("%d records left", got)
	}
}

func readAllUnchecked(l *Log) []int64 {
	var offsets []int64
	r, err := l.Read(nil, 0, 1<<20, AtLeastOne)
	for _, b := range r.Data {
		for len(b) > 0 && err == nil {
			var h batch.Header
			h, _, b, err = batch.Cut(b)
			offsets = append(offsets, h.BaseOffset)
		}
	}
	return offsets
}

// The last value of every key is the same before and after any number of
// rounds, offsets stay with their records, and nothing comes back.
func TestCleanIsInvisibleToTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fsys := vfs.NewMem()
		o, clk := testOptions(fsys)
		c := compacting()
		c.SegmentBytes = rapid.Int64Range(150, 1000).Draw(t, "segment.bytes")
		c.MaxCompactionKeys = rapid.SampledFrom([]int{1, 3, 1000}).Draw(t, "keys")
		codec := rapid.SampledFrom([]batch.Codec{batch.None, batch.Snappy}).Draw(t, "codec")
		l := openRapid(t, o, c)
		all := map[int64]stored{}
		table := map[string]stored{}
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				var recs []batch.Record
				end := l.Bounds().LogEnd
				for i := range rapid.IntRange(1, 5).Draw(t, "records") {
					at := end + int64(i)
					s := stored{at, fmt.Sprint("k", rapid.IntRange(0, 5).Draw(t, "key")), fmt.Sprint("v", at), false}
					rec := batch.Record{OffsetDelta: int32(i), Timestamp: base, Key: []byte(s.key), Value: []byte(s.value)}
					if rapid.IntRange(0, 3).Draw(t, "tombstone") == 0 {
						s.value, s.null, rec.Value = "", true, nil
					}
					all[at], table[s.key] = s, s
					recs = append(recs, rec)
				}
				h := batch.New()
				h.Attributes = batch.Attributes(codec)
				b, err := batch.Append(nil, h, recs)
				if err == nil {
					_, err = l.Append(b, AppendArgs{})
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			"clean": func(t *rapid.T) {
				if _, err := l.Clean(clk.Now()); err != nil {
					t.Fatal(err)
				}
			},
			"a day": func(*rapid.T) { clk.advance(24 * time.Hour) },
			"reopen": func(t *rapid.T) {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				l = openRapid(t, o, c)
			},
			"": func(t *rapid.T) { checkTable(t, l, all, table) },
		})
	})
}

// checkTable reads the whole log and compares it with all records that were
// appended and with the last of each key.
func checkTable(t *rapid.T, l *Log, all map[int64]stored, table map[string]stored) {
	got := map[string]stored{}
	offset := int64(0)
	for offset < l.Bounds().HighWatermark {
		r, err := l.Read(nil, offset, 300, AtLeastOne)
		if err != nil || r.Size == 0 {
			t.Fatalf("read at %d: %d bytes, %v", offset, r.Size, err)
		}
		for _, b := range r.Data {
			for len(b) > 0 {
				h, one, rest, err := batch.Cut(b)
				if err != nil {
					t.Fatal(err)
				}
				for rec, err := range batch.All(one) {
					s := stored{h.BaseOffset + int64(rec.OffsetDelta), string(rec.Key), string(rec.Value), rec.Value == nil}
					if err != nil || s != all[s.offset] || rec.Timestamp != base {
						t.Fatalf("%+v, %v, appended was %+v", s, err, all[s.offset])
					}
					got[s.key] = s
				}
				offset, b = h.NextOffset(), rest
			}
		}
		r.Release()
	}
	for key, want := range table {
		// A tombstone may be gone, but then with all before it.
		if s, there := got[key]; s != want && (there || !want.null) {
			t.Fatalf("key %s is %+v (%t), want %+v", key, s, there, want)
		}
	}
}
