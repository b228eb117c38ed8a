package partition

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/segment"
	"github.com/leatstream/leat/broker/internal/vfs"
)

func at(t testing.TB, l *Log, ms int64) {
	t.Helper()
	mustAppend(t, l, encode(t, batch.New(), batch.Record{Timestamp: ms, Key: []byte("k"), Value: []byte("v")}))
}

// The answers are those of Kafka 4.3 to the same requests.
func TestDeleteRecords(t *testing.T) {
	fsys := vfs.NewMem()
	o, clk := testOptions(fsys)
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, records(t, "a", "b", "c"))
	mustAppend(t, l, records(t, "d"))
	for _, test := range []struct {
		before, want int64
		err          error
	}{{2, 2, nil}, {1, 2, nil}, {99, -1, kerr.OffsetOutOfRange}, {-2, -1, kerr.OffsetOutOfRange}} {
		start, err := l.DeleteRecords(test.before)
		if start != test.want || !errors.Is(err, test.err) {
			t.Errorf("delete before %d: %d, %v", test.before, start, err)
		}
	}
	if _, err := l.Read(nil, 0, 100, AtLeastOne); !errors.Is(err, kerr.OffsetOutOfRange) {
		t.Errorf("read of a deleted record: %v", err)
	}
	r, err := l.Read(nil, 2, 1, AtLeastOne)
	if h, _ := batch.Parse(r.Data[0]); err != nil || h.BaseOffset != 0 || r.LogStart != 2 {
		t.Errorf("read in the middle of a batch: %+v, %v", h, err)
	}
	// It survives without an orderly stop.
	l = mustOpen(t, o, testConfig())
	if b := l.Bounds(); b != (Bounds{2, 4, 4, 4}) {
		t.Errorf("reopened: %+v", b)
	}
	if start, err := l.DeleteRecords(-1); start != 4 || err != nil {
		t.Errorf("delete all: %d, %v", start, err)
	}
	if r, err := l.Retain(clk.Now()); err != nil || r.Segments != 1 || l.Size() != 0 {
		t.Errorf("space was not freed: %+v, %v", r, err)
	}
	if at := mustAppend(t, l, records(t, "e")); at.BaseOffset != 4 || at.LogStart != 4 {
		t.Errorf("append: %+v", at)
	}
	c := testConfig()
	c.Delete, c.Compact = false, true
	l.SetConfig(c)
	if _, err := l.DeleteRecords(5); !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("compacted only: %v", err)
	}
}

func TestRetentionBySize(t *testing.T) {
	fsys := vfs.NewMem()
	o, clk := testOptions(fsys)
	c := testConfig()
	c.SegmentBytes, c.RetentionBytes, c.FileDeleteDelay = 200, 500, time.Minute
	l := mustOpen(t, o, c)
	for range 20 {
		mustAppend(t, l, records(t, "a"))
	}
	size := l.Size()
	r, err := l.Retain(clk.Now())
	if err != nil || r.LogStart == 0 || l.Size() < 500 || l.Size() >= 500+200 || size-r.Bytes != l.Size() {
		t.Errorf("%+v, %v, %d bytes of %d left", r, err, l.Size(), size)
	}
	if got := readAll(t, l, r.LogStart, 1); int64(len(got)) != 20-r.LogStart {
		t.Errorf("%d records left", len(got))
	}
	count := func() (live, waiting int) {
		list, err := fsys.ReadDir(o.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if _, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix {
				live++
			} else if ok && suffix == segment.LogSuffix+segment.DeletedSuffix {
				waiting++
			}
		}
		return live, waiting
	}
	if live, waiting := count(); waiting != r.Segments || live != len(l.segs) {
		t.Errorf("%d files, %d wait for their removal; %+v", live, waiting, r)
	}
	clk.advance(time.Minute)
	if _, err := l.Retain(clk.Now()); err != nil {
		t.Fatal(err)
	}
	if live, waiting := count(); waiting != 0 || live != len(l.segs) {
		t.Errorf("%d files, %d wait for their removal", live, waiting)
	}
}

func TestRetentionByTime(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	c := testConfig()
	c.SegmentAge, c.Retention = time.Second, time.Hour
	l := mustOpen(t, o, c)
	for i := range int64(3) {
		at(t, l, base+i*2000) // each in a segment of its own
	}
	if len(l.segs) != 3 {
		t.Fatalf("%d segments", len(l.segs))
	}
	clk.ms = base + time.Hour.Milliseconds()
	if r, err := l.Retain(clk.Now()); err != nil || r.LogStart != 0 {
		t.Errorf("at the limit: %+v, %v", r, err)
	}
	clk.advance(time.Millisecond)
	if r, err := l.Retain(clk.Now()); err != nil || r.LogStart != 1 {
		t.Errorf("after the limit: %+v, %v", r, err)
	}
	clk.advance(2 * time.Hour) // the active one, too
	if r, err := l.Retain(clk.Now()); err != nil || r.LogStart != 3 || l.Size() != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	at(t, l, clk.ms)
	if b := l.Bounds(); b != (Bounds{3, 4, 4, 4}) {
		t.Errorf("bounds %+v", b)
	}
}

func TestMaxTimestamp(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	c := testConfig()
	c.SegmentBytes = 200
	l := mustOpen(t, o, c)
	answer := func() string { return fmt.Sprint(l.MaxTimestamp()) }
	if got := answer(); got != "-1 -1 false <nil>" {
		t.Errorf("empty log: %s", got)
	}
	for _, ms := range []int64{base, base + 7, base + 9, base + 3, base + 9, base + 5, base + 1} {
		at(t, l, ms)
	}
	if got := answer(); got != fmt.Sprintf("2 %d true <nil>", int64(base+9)) {
		t.Errorf("largest: %s", got)
	}
	if _, err := l.DeleteRecords(3); err != nil || answer() != fmt.Sprintf("4 %d true <nil>", int64(base+9)) {
		t.Errorf("after deletion before 3: %s, %v", answer(), err)
	}
	if _, err := l.DeleteRecords(5); err != nil || answer() != fmt.Sprintf("5 %d true <nil>", int64(base+5)) {
		t.Errorf("after deletion before 5: %s, %v", answer(), err)
	}
}

// What goes with an error is what Kafka 4.3 answers.
func TestAppendRefuses(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	c := testConfig()
	c.MaxMessageBytes = 500
	l := mustOpen(t, o, c)
	damaged := records(t, "a")
	damaged[len(damaged)-1] ^= 1
	control := batch.New()
	control.Attributes = batch.Control
	marker := encode(t, control, batch.Record{Key: []byte{0, 0, 0, 0}})
	for _, test := range []struct {
		what  string
		b     []byte
		code  *kerr.Error
		start int64
	}{
		{"damaged", damaged, kerr.CorruptMessage, -1},
		{"empty", nil, kerr.InvalidRecord, -1},
		{"too large", records(t, string(make([]byte, 600))), kerr.MessageTooLarge, -1},
		{"control", marker, kerr.InvalidRecord, 0},
		{"future", encode(t, batch.New(), batch.Record{Timestamp: clk.ms + 3_700_000}), kerr.InvalidTimestamp, 0},
	} {
		at, err := l.Append(test.b, AppendArgs{})
		if batch.CodeOf(err) != test.code.Code || at != (Appended{-1, -1, -1, test.start, false}) {
			t.Errorf("%s: %+v, %v", test.what, at, err)
		}
	}
	if _, err := l.Append(marker, AppendArgs{Origin: Coordinator}); err != nil {
		t.Errorf("marker of the coordinator: %v", err)
	}
	c.Compact = true
	l.SetConfig(c)
	_, err := l.Append(encode(t, batch.New(), batch.Record{Timestamp: base}), AppendArgs{})
	if e, ok := errors.AsType[*batch.Error](err); !ok || e.Code() != kerr.InvalidRecord.Code || len(e.Records) != 1 {
		t.Errorf("no key: %v", err)
	}
}

func TestLogAppendTime(t *testing.T) {
	o, clk := testOptions(vfs.NewMem())
	c := testConfig()
	c.LogAppendTime = true
	l := mustOpen(t, o, c)
	b := encode(t, batch.New(), batch.Record{Timestamp: 12345})
	if at := mustAppend(t, l, b); at.LogAppendTime != clk.ms {
		t.Errorf("%+v", at)
	}
	if offset, ts, ok, err := l.OffsetForTime(clk.ms); offset != 0 || ts != clk.ms || !ok || err != nil {
		t.Errorf("%d at %d, %t, %v", offset, ts, ok, err)
	}
}
