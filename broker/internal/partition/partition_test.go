package partition

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
	"github.com/leatstream/leat/internal/clock"
)

// base is what the test clock shows at first, in milliseconds.
const base = 1_700_000_000_000

// testClock stands still until it is told otherwise.
type testClock struct{ ms int64 }

func (c *testClock) Now() time.Time                              { return time.UnixMilli(c.ms) }
func (c *testClock) NewTimer(time.Duration) clock.Timer          { panic("the log uses no timers") }
func (c *testClock) AfterFunc(time.Duration, func()) clock.Timer { panic("the log uses no timers") }
func (c *testClock) advance(d time.Duration)                     { c.ms += d.Milliseconds() }

func testOptions(fsys vfs.FS) (Options, *testClock) {
	c := &testClock{base}
	return Options{FS: fsys, Dir: "/data/t-0", Topic: "t", Clock: c}, c
}

func testConfig() Config {
	c := DefaultConfig()
	c.FileDeleteDelay = 0
	return c
}

func mustOpen(t testing.TB, o Options, c Config) *Log {
	t.Helper()
	l, err := Open(o, c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// records makes a batch with one record a value, at the clock's first time.
func records(t testing.TB, values ...string) []byte {
	t.Helper()
	return encode(t, batch.New(), keyed(values...)...)
}

func keyed(values ...string) []batch.Record {
	recs := make([]batch.Record, len(values))
	for i, v := range values {
		recs[i] = batch.Record{OffsetDelta: int32(i), Timestamp: base, Key: []byte("k"), Value: []byte(v)}
	}
	return recs
}

func encode(t testing.TB, h batch.Header, recs ...batch.Record) []byte {
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

func mustAppend(t testing.TB, l *Log, b []byte) Appended {
	t.Helper()
	at, err := l.Append(b, AppendArgs{})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// stored is a record as it was read back.
type stored struct {
	offset     int64
	key, value string
	null       bool
}

// readAll reads from offset to the high watermark in steps of maxBytes.
func readAll(t testing.TB, l *Log, offset int64, maxBytes int) []stored {
	t.Helper()
	var all []stored
	for {
		r, err := l.Read(nil, offset, maxBytes, AtLeastOne)
		if err != nil {
			t.Fatal(err)
		}
		if r.Size == 0 {
			if offset < r.HighWatermark {
				// Only compaction makes holes, and only before a full segment's end.
				t.Fatalf("nothing to read at %d below the high watermark %d", offset, r.HighWatermark)
			}
			return all
		}
		size := 0
		for _, data := range r.Data {
			size += len(data)
			for len(data) > 0 {
				h, b, rest, err := batch.Cut(data)
				if err == nil {
					err = batch.CheckCRC(b, &h)
				}
				if err != nil {
					t.Fatal(err)
				}
				for rec, err := range batch.All(b) {
					if err != nil {
						t.Fatal(err)
					}
					if at := h.BaseOffset + int64(rec.OffsetDelta); at >= offset {
						all = append(all, stored{at, string(rec.Key), string(rec.Value), rec.Value == nil})
					}
				}
				offset = h.NextOffset()
				data = rest
			}
		}
		if size != r.Size {
			t.Fatalf("%d bytes, said to be %d", size, r.Size)
		}
		r.Release()
	}
}

func values(recs []stored) []string {
	var vs []string
	for _, r := range recs {
		vs = append(vs, r.value)
	}
	return vs
}

func TestAppendAndRead(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	if at := mustAppend(t, l, records(t, "a", "b", "c")); at != (Appended{0, 2, -1, 0, false}) {
		t.Errorf("first append: %+v", at)
	}
	if at := mustAppend(t, l, records(t, "d")); at != (Appended{3, 3, -1, 0, false}) {
		t.Errorf("second append: %+v", at)
	}
	if b := l.Bounds(); b != (Bounds{0, 4, 4, 4}) {
		t.Errorf("bounds %+v", b)
	}
	if got := fmt.Sprint(values(readAll(t, l, 1, 1))); got != "[b c d]" {
		t.Errorf("read %s", got)
	}
	// The batch that holds the offset comes whole.
	r, err := l.Read(nil, 1, 10, AtLeastOne)
	if err != nil || len(r.Data) != 1 {
		t.Fatalf("read %+v, %v", r, err)
	}
	if h, _ := batch.Parse(r.Data[0]); h.BaseOffset != 0 || h.Count != 3 || h.Size() != r.Size {
		t.Errorf("first batch %+v", h)
	}
	if r, err := l.Read(nil, 1, 10, NoMinimum); err != nil || r.Size != 0 || r.HighWatermark != 4 {
		t.Errorf("read of at most 10 bytes: %+v, %v", r, err)
	}
	if r, err := l.Read(nil, 4, 10, AtLeastOne); err != nil || r.Size != 0 {
		t.Errorf("read at the end: %+v, %v", r, err)
	}
	for _, offset := range []int64{-1, 5} {
		r, err := l.Read(nil, offset, 10, AtLeastOne)
		if !errors.Is(err, kerr.OffsetOutOfRange) || r.HighWatermark != -1 || r.LogStart != -1 {
			t.Errorf("read at %d: %+v, %v", offset, r, err)
		}
	}
}

func TestReopenKeepsAll(t *testing.T) {
	fsys := vfs.NewMem()
	o, _ := testOptions(fsys)
	c := testConfig()
	c.SegmentBytes = 400
	c.IndexIntervalBytes = 100
	l := mustOpen(t, o, c)
	var want []string
	for i := range 50 {
		v := fmt.Sprint("v", i)
		want = append(want, v)
		mustAppend(t, l, records(t, v))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = mustOpen(t, o, c)
	if r := l.Recovery(); r.Scanned != 0 || r.Truncated != 0 || r.Segments < 5 {
		t.Errorf("recovery after an orderly stop: %+v", r)
	}
	for _, maxBytes := range []int{1, 150, 1 << 20} {
		if got := values(readAll(t, l, 0, maxBytes)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("read by %d bytes: %v", maxBytes, got)
		}
	}
	if at := mustAppend(t, l, records(t, "x")); at.BaseOffset != 50 {
		t.Errorf("append after reopening: %+v", at)
	}
	if l.Epoch() != 0 {
		t.Errorf("epoch %d after an orderly stop", l.Epoch())
	}
}

func TestOnARealDisk(t *testing.T) {
	o, clk := testOptions(vfs.OS)
	o.Dir = vfs.Join(filepath.ToSlash(t.TempDir()), "t-0")
	o.Durability = Fsync
	o.Syncer = NewSyncer(2)
	defer o.Syncer.Close()
	c := compacting()
	l := mustOpen(t, o, c)
	for i := range 20 {
		put(t, l, fmt.Sprint("k", i%2), fmt.Sprint("v", i))
	}
	if err := l.WaitDurable(t.Context(), 20); err != nil {
		t.Fatal(err)
	}
	seal(t, l)
	mustClean(t, l, clk.Now())
	if _, err := l.Retain(clk.Now()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := fmt.Sprint(values(readAll(t, l, 0, 100))); got != "[v18 v19]" {
			t.Errorf("read %s", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = mustOpen(t, o, c)
	}
	if err := l.Delete(); err != nil {
		t.Fatal(err)
	}
	if list, err := vfs.OS.ReadDir(path.Dir(o.Dir)); err != nil || len(list) != 0 {
		t.Errorf("left over %v, %v", list, err)
	}
}

func TestUncleanStopDropsTornTail(t *testing.T) {
	fsys := vfs.NewMem()
	o, _ := testOptions(fsys)
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, records(t, "a"))
	mustAppend(t, l, records(t, "b"))
	// The process ends; the last batch has lost its last byte.
	f, err := fsys.OpenFile(l.active().Path(), vfs.Existing)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(l.Size() - 1); err != nil {
		t.Fatal(err)
	}
	o.Unclean = true
	l = mustOpen(t, o, testConfig())
	if got := fmt.Sprint(values(readAll(t, l, 0, 1000))); got != "[a]" {
		t.Errorf("left over %s", got)
	}
	if r := l.Recovery(); r.Truncated == 0 || r.Scanned == 0 {
		t.Errorf("recovery %+v", r)
	}
	if l.Epoch() != 1 {
		t.Errorf("epoch %d, want 1", l.Epoch())
	}
	for asked, want := range map[int32]string{0: "0 1", 1: "1 1", 2: "-1 -1"} {
		e, end := l.EpochEnd(asked)
		if got := fmt.Sprint(e, end); got != want {
			t.Errorf("end of epoch %d is %s, want %s", asked, got, want)
		}
	}
	mustAppend(t, l, records(t, "c"))
	r, _ := l.Read(nil, 1, 1000, AtLeastOne)
	if h, _ := batch.Parse(r.Data[0]); h.LeaderEpoch != 1 {
		t.Errorf("batch %+v", h)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.Unclean = false
	if l = mustOpen(t, o, testConfig()); l.Epoch() != 1 {
		t.Errorf("epoch %d after an orderly stop, want 1", l.Epoch())
	}
}

func TestClosedLog(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, records(t, "a"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(records(t, "b"), AppendArgs{}); !errors.Is(err, ErrClosed) || batch.CodeOf(err) != kerr.KafkaStorageError.Code {
		t.Errorf("append: %v", err)
	}
	if _, err := l.Read(nil, 0, 10, AtLeastOne); !errors.Is(err, ErrClosed) {
		t.Errorf("read: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestDelete(t *testing.T) {
	fsys := vfs.NewMem()
	o, _ := testOptions(fsys)
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, records(t, "a"))
	if err := l.Delete(); err != nil {
		t.Fatal(err)
	}
	if list, err := fsys.ReadDir("/data"); err != nil || len(list) != 0 {
		t.Errorf("left over %v, %v", list, err)
	}
	l = mustOpen(t, o, testConfig())
	if b := l.Bounds(); b != (Bounds{}) {
		t.Errorf("bounds of the new log %+v", b)
	}
	if err := fsys.MkdirAll("/data/u-1" + DeletedSuffix); err != nil {
		t.Fatal(err)
	}
	if err := RemoveDeleted(fsys, "/data"); err != nil {
		t.Fatal(err)
	}
	if list, _ := fsys.ReadDir("/data"); len(list) != 1 || list[0].Name != "t-0" {
		t.Errorf("left over %v", list)
	}
}
