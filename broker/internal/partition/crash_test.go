package partition

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// crashRun is a life of a log that ends with a power cut, and what its user
// was promised until then.
type crashRun struct {
	fs        *vfs.Fault
	o         Options
	c         Config
	acked     int64 // records that were durable, when that was told
	start     int64 // log start that was told
	tried     int64 // records that were tried
	compacted bool
	journaled bool
}

// open starts a log and its syncer as a broker does.
func (r *crashRun) open() (*Log, error) {
	r.o.Syncer, r.o.Redo = NewSyncer(1), nil
	if !r.journaled {
		return Open(r.o, r.c)
	}
	r.o.Syncer.Close()
	left, err := journal.Recover(r.fs, "/data/journal")
	if err != nil {
		return nil, err
	}
	r.o.Redo = left.Entries(r.o.key())
	j := journal.New(journal.Options{FS: r.fs, Dir: "/data/journal", First: left.Next(), FileBytes: 16 << 10})
	r.o.Syncer = NewJournaledSyncer(Journaled{Journal: j, Clock: r.o.Clock})
	l, err := Open(r.o, r.c)
	if err != nil {
		return nil, errors.Join(err, left.Close())
	}
	if err := left.Remove(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func newCrashRun(compact, journaled bool) *crashRun {
	r := &crashRun{fs: vfs.NewFault(vfs.NewMem()), c: testConfig(), journaled: journaled}
	r.o, _ = testOptions(r.fs)
	r.o.Durability = Fsync
	r.c.SegmentBytes = 500
	r.c.IndexIntervalBytes = 200
	r.c.Compact, r.c.MinDirtyRatio = compact, 0
	r.compacted = compact
	return r
}

// live appends, deletes and maintains until the power is cut. Every record
// comes from one producer and says its own offset.
func (r *crashRun) live(t *testing.T, steps int) {
	l, err := r.open()
	defer r.o.Syncer.Close()
	if err != nil {
		return
	}
	defer l.Close()
	// What can be read from now on may not get lost, whoever wrote it.
	r.acked = max(r.acked, l.Bounds().HighWatermark)
	for i := range steps {
		seq := l.Bounds().LogEnd
		at, err := l.Append(sentBy(t, 1, 0, int32(seq), 1), AppendArgs{})
		r.tried = max(r.tried, seq+1)
		if err == nil && i%3 == 0 {
			if err = l.WaitDurable(context.Background(), at.LastOffset+1); err == nil {
				r.acked = max(r.acked, at.LastOffset+1)
			}
		}
		if err == nil && i%7 == 6 {
			_, err = l.Retain(time.UnixMilli(base))
		}
		if err == nil && i%11 == 10 {
			if r.compacted {
				_, err = l.Clean(time.UnixMilli(base))
			} else if start, e := l.DeleteRecords(l.Bounds().HighWatermark / 2); e == nil {
				r.start = start
			}
		}
		if err != nil {
			return
		}
	}
}

// check opens the log after the cut and looks whether the promises were kept.
func (r *crashRun) check(t *testing.T, what string) {
	l, err := r.open()
	defer r.o.Syncer.Close()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer l.Close()
	b := l.Bounds()
	if b.LogEnd < r.acked || b.LogEnd > r.tried || b.LogStart < r.start {
		t.Fatalf("%s: %+v, but %d of %d records were acknowledged and the log start was %d", what, b, r.acked, r.tried, r.start)
	}
	recs := readAll(t, l, b.LogStart, 1000)
	next := b.LogStart
	for i, rec := range recs {
		if rec.value != fmt.Sprint(1, 0, rec.offset) {
			t.Fatalf("%s: offset %d has %q", what, rec.offset, rec.value)
		}
		// Compaction may leave holes; the key is always the same, and so the
		// last record must be there.
		if rec.offset < next || rec.offset != next && !r.compacted {
			t.Fatalf("%s: offset %d after %d", what, rec.offset, next)
		}
		if i == len(recs)-1 && rec.offset != b.LogEnd-1 {
			t.Fatalf("%s: last record is %d of %d", what, rec.offset, b.LogEnd)
		}
		next = rec.offset + 1
	}
	if b.LogEnd > b.LogStart && len(recs) == 0 {
		t.Fatalf("%s: no records in %+v", what, b)
	}
	if b.LogEnd == 0 {
		return
	}
	// A retry of the last record is known, and the next one follows.
	at, err := l.Append(sentBy(t, 1, 0, int32(b.LogEnd-1), 1), AppendArgs{})
	if b.LogStart < b.LogEnd && (err != nil || !at.Duplicate || at.BaseOffset != b.LogEnd-1) {
		t.Fatalf("%s: retry: %+v, %v", what, at, err)
	}
	if at, err := l.Append(sentBy(t, 1, 0, int32(l.Bounds().LogEnd), 1), AppendArgs{}); err != nil {
		t.Fatalf("%s: next: %+v, %v", what, at, err)
	}
}

// The power is cut at each change that a life makes to the disk, and some of what
// was not synced is lost.
func TestPowerCutAnywhere(t *testing.T) {
	for mode := range 4 {
		compact, journaled := mode&1 != 0, mode&2 != 0
		whole := newCrashRun(compact, journaled)
		whole.live(t, 40)
		changes := whole.fs.Changes()
		if changes < 100 || whole.acked < 30 {
			t.Fatalf("%d changes, %d records: too small a life", changes, whole.acked)
		}
		for cut := 1; cut <= changes; cut++ {
			r := newCrashRun(compact, journaled)
			r.fs.CutAfter(cut)
			r.live(t, 40)
			r.fs.PowerCut(uint64(cut))
			r.o.Unclean = true
			r.check(t, fmt.Sprintf("compaction %t, journal %t, cut at %d of %d", compact, journaled, cut, changes))
		}
	}
}

// Several lives after another, each cut short while it also recovers from the
// one before.
func TestPowerCutAgainAndAgain(t *testing.T) {
	for seed := range uint64(40) {
		r := newCrashRun(seed%2 == 0, seed%4 >= 2)
		for life := range 5 {
			r.fs.CutAfter(20 + int(seed*7)%60 + life*13)
			r.live(t, 60)
			r.fs.PowerCut(seed*100 + uint64(life))
			r.o.Unclean = true
		}
		r.check(t, fmt.Sprint("seed ", seed))
	}
}

// The indexes of a swap may have got their new names before its log file did.
func TestStrayFilesGo(t *testing.T) {
	fsys := vfs.NewMem()
	o, _ := testOptions(fsys)
	l := mustOpen(t, o, testConfig())
	mustAppend(t, l, records(t, "a"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{".index.swap", ".log.cleaned", ".log.deleted"} {
		if err := vfs.WriteFile(fsys, vfs.Join(o.Dir, "00000000000000000000"+suffix), []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	l = mustOpen(t, o, testConfig())
	if got := fmt.Sprint(values(readAll(t, l, 0, 100))); got != "[a]" {
		t.Errorf("read %s", got)
	}
	list, err := fsys.ReadDir(o.Dir)
	if err != nil || len(list) != 5 { // log, two indexes, snapshot, checkpoint
		t.Errorf("files %v, %v", list, err)
	}
}
