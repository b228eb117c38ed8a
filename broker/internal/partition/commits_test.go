package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/journal"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// What was compacted or deleted after its log's own sync is not brought back by a
// journal that still has it.
func TestRedoLeavesCompactedAlone(t *testing.T) {
	for cut := 1; ; cut++ {
		r := newCrashRun(true, true)
		l, err := r.open()
		if err != nil {
			t.Fatal(err)
		}
		for i := range int32(30) {
			at := mustAppend(t, l, sentBy(t, 1, 0, i, 1))
			if err := l.WaitDurable(context.Background(), at.LastOffset+1); err != nil {
				t.Fatal(err)
			}
		}
		// As when a file of the journal is full: the checkpoint isn't saved.
		if err := l.sync(); err != nil {
			t.Fatal(err)
		}
		r.fs.CutAfter(cut)
		done, err := l.Clean(time.UnixMilli(base))
		if err == nil && done.Segments == 0 {
			t.Fatal("nothing was compacted")
		}
		r.acked, r.tried = 30, 30
		l.Close()
		r.o.Syncer.Close()
		r.fs.PowerCut(uint64(cut))
		r.o.Unclean = true
		r.check(t, fmt.Sprint("cut at ", cut))
		if err == nil {
			return
		}
	}
}

// Many logs share a journal; each gets back what is its own, also if the power is
// cut while the journal goes from one file to the next.
func TestPowerCutOfManyLogs(t *testing.T) {
	const logs = 5
	for seed := range uint64(12) {
		fsys := vfs.NewFault(vfs.NewMem())
		var acked [logs]atomic.Int64
		for life := range 4 {
			w := openWorld(t, fsys, logs)
			w.check(t, &acked, fmt.Sprintf("seed %d, life %d", seed, life))
			fsys.CutAfter(10 + int(seed*13)%90 + life*17)
			w.fill(t, &acked)
			w.close()
			fsys.PowerCut(seed*10 + uint64(life))
		}
		w := openWorld(t, fsys, logs)
		w.check(t, &acked, fmt.Sprint("seed ", seed))
		w.close()
	}
}

// world is some logs with one journal.
type world struct {
	logs   []*Log
	syncer *Syncer
}

func openWorld(t *testing.T, fsys *vfs.Fault, logs int) *world {
	t.Helper()
	left, err := journal.Recover(fsys, "/data/journal")
	if err != nil || len(left.Damaged) > 0 {
		t.Fatalf("%v, damaged %v", err, left.Damaged)
	}
	w := &world{}
	j := journal.New(journal.Options{FS: fsys, Dir: "/data/journal", First: left.Next(), FileBytes: 32 << 10})
	w.syncer = NewJournaledSyncer(Journaled{Journal: j})
	c := testConfig()
	c.SegmentBytes = 700
	for p := range int32(logs) {
		o, _ := testOptions(fsys)
		o.Dir, o.Partition = fmt.Sprintf("/data/t-%d", p), p
		o.Syncer, o.Durability, o.Unclean = w.syncer, Fsync, true
		o.Redo = left.Entries(o.key())
		w.logs = append(w.logs, mustOpen(t, o, c))
	}
	if err := left.Remove(); err != nil {
		t.Fatal(err)
	}
	return w
}

// fill appends to all logs at once until the disk is dead.
func (w *world) fill(t *testing.T, acked *[5]atomic.Int64) {
	var wg sync.WaitGroup
	for i, l := range w.logs {
		wg.Go(func() {
			for range 200 {
				b, err := l.Append(records(t, fmt.Sprint(l.Bounds().LogEnd)), AppendArgs{})
				if err != nil || l.WaitDurable(context.Background(), b.LastOffset+1) != nil {
					return
				}
				acked[i].Store(b.LastOffset + 1)
			}
		})
	}
	wg.Wait()
}

func (w *world) check(t *testing.T, acked *[5]atomic.Int64, what string) {
	t.Helper()
	for i, l := range w.logs {
		recs := readAll(t, l, 0, 1<<20)
		if int64(len(recs)) < acked[i].Load() {
			t.Fatalf("%s: log %d has %d records, %d were acknowledged", what, i, len(recs), acked[i].Load())
		}
		for n, rec := range recs {
			if rec.offset != int64(n) || rec.value != fmt.Sprint(n) {
				t.Fatalf("%s: log %d has %q at offset %d, the record number %d", what, i, rec.value, rec.offset, n)
			}
		}
	}
}

func (w *world) close() {
	for _, l := range w.logs {
		l.Close()
	}
	w.syncer.Close()
}

// brokenJournal is a disk on which files of the journal can't be synced.
type brokenJournal struct {
	vfs.FS
	broken atomic.Bool
}

type brokenFile struct {
	vfs.File
	fs *brokenJournal
}

func (b *brokenJournal) OpenFile(path string, how vfs.How) (vfs.File, error) {
	f, err := b.FS.OpenFile(path, how)
	if err == nil && strings.HasSuffix(path, ".journal") {
		f = brokenFile{f, b}
	}
	return f, err
}

func (f brokenFile) Sync() error {
	if f.fs.broken.Load() {
		return syscall.EIO
	}
	return f.File.Sync()
}

// Where the journal can't be synced the logs' own files are, and the journal is
// tried again.
func TestJournalFails(t *testing.T) {
	fsys := &brokenJournal{FS: vfs.NewMem()}
	dir := "/data/journal"
	syncer := NewJournaledSyncer(Journaled{Journal: journal.New(journal.Options{FS: fsys, Dir: dir})})
	defer syncer.Close()
	o, _ := testOptions(fsys)
	o.Durability, o.Syncer = Fsync, syncer
	l := mustOpen(t, o, testConfig())
	defer l.Close()
	add := func(value string) {
		t.Helper()
		at := mustAppend(t, l, records(t, value))
		if err := l.WaitDurable(context.Background(), at.LastOffset+1); err != nil {
			t.Fatal(err)
		}
	}
	add("a")
	fsys.broken.Store(true)
	add("b")
	add("c")
	fsys.broken.Store(false)
	add("d")
	left, err := journal.Recover(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer left.Close()
	var ends []int64
	for _, e := range left.Entries(o.key()) {
		ends = append(ends, e.End)
	}
	if !slices.Contains(ends, 1) || !slices.Contains(ends, 4) {
		t.Errorf("the journal has records up to %v", ends)
	}
	if got := fmt.Sprint(values(readAll(t, l, 0, 100))); got != "[a b c d]" {
		t.Errorf("read %s", got)
	}
}

// After an orderly stop nothing is left of the journal.
func TestJournalGoes(t *testing.T) {
	fsys := vfs.NewMem()
	syncer := NewJournaledSyncer(Journaled{Journal: journal.New(journal.Options{FS: fsys, Dir: "/data/journal", FileBytes: 8 << 10})})
	o, _ := testOptions(fsys)
	o.Durability, o.Syncer = Fsync, syncer
	l := mustOpen(t, o, testConfig())
	for range 50 {
		at := mustAppend(t, l, records(t, "a"))
		if err := l.WaitDurable(context.Background(), at.LastOffset+1); err != nil {
			t.Fatal(err)
		}
	}
	list, err := fsys.ReadDir("/data/journal")
	if err != nil || len(list) == 0 {
		t.Fatalf("files %v, %v", list, err)
	}
	if err := errors.Join(l.Close(), syncer.Close()); err != nil {
		t.Fatal(err)
	}
	list, err = fsys.ReadDir("/data/journal")
	if err != nil || len(list) != 0 {
		t.Errorf("files %v, %v", list, err)
	}
}

// A round with nothing to write gives back no file that was never there.
func TestCommitOfNothing(t *testing.T) {
	fsys := vfs.NewMem()
	syncer := NewJournaledSyncer(Journaled{Journal: journal.New(journal.Options{FS: fsys, Dir: "/data/journal"})})
	defer syncer.Close()
	o, _ := testOptions(fsys)
	o.Durability, o.Syncer = Fsync, syncer
	l := mustOpen(t, o, testConfig())
	defer l.Close()
	syncer.commits.commit([]*Log{l})
	if n := len(syncer.commits.files); n != 0 {
		t.Errorf("%d files of the journal are noted", n)
	}
}
