package partition

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// gate lets a test hold the syncs of a file system.
type gate struct {
	vfs.FS
	open  chan struct{} // holds a token while syncs may pass
	syncs int
}

type gatedFile struct {
	vfs.File
	g *gate
}

func (g *gate) OpenFile(path string, how vfs.How) (vfs.File, error) {
	f, err := g.FS.OpenFile(path, how)
	return gatedFile{f, g}, err
}

func (f gatedFile) Sync() error {
	<-f.g.open
	defer func() { f.g.open <- struct{}{} }()
	f.g.syncs++
	return f.File.Sync()
}

// fsyncLog opens a log in Fsync mode, for use in a bubble.
func fsyncLog(t *testing.T, fsys vfs.FS) *Log {
	t.Helper()
	o, _ := testOptions(fsys)
	o.Durability = Fsync
	o.Syncer = NewSyncer(2)
	l := mustOpen(t, o, testConfig())
	t.Cleanup(func() {
		l.Close()
		o.Syncer.Close()
	})
	return l
}

func TestHighWatermarkWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{FS: vfs.NewMem(), open: make(chan struct{}, 1)}
		l := fsyncLog(t, g) // on a slow disk
		at := mustAppend(t, l, sentBy(t, 1, 0, 0, 2))
		synctest.Wait()
		if b := l.Bounds(); b != (Bounds{0, 0, 0, 2}) {
			t.Errorf("bounds before the sync %+v", b)
		}
		if r, err := l.Read(nil, 0, 1000, AtLeastOne); err != nil || r.Size != 0 {
			t.Errorf("read before the sync: %+v, %v", r, err)
		}
		if n := l.Available(0); n != 0 {
			t.Errorf("%d bytes available before the sync", n)
		}
		var acked []string
		ack := func(name string) *Ack {
			return &Ack{Done: func(err error) { acked = append(acked, fmt.Sprint(name, err)) }}
		}
		if l.WhenDurable(at.LastOffset+1, ack("first ")) {
			t.Error("durable before the sync")
		}
		// A retry must not be told more than the original.
		if dup := mustAppend(t, l, sentBy(t, 1, 0, 0, 2)); !dup.Duplicate || l.WhenDurable(dup.LastOffset+1, ack("retry ")) {
			t.Errorf("retry %+v is durable before the original", dup)
		}
		for i := range int32(20) {
			at = mustAppend(t, l, sentBy(t, 1, 0, 2+i, 1))
		}
		if l.WhenDurable(at.LastOffset+1, ack("last ")) || len(acked) != 0 {
			t.Errorf("acknowledged before the sync: %v", acked)
		}
		syncs := g.syncs
		g.open <- struct{}{}
		synctest.Wait()
		if len(acked) != 3 || strings.Contains(fmt.Sprint(acked), "err") {
			t.Errorf("acknowledged %v", acked)
		}
		if n := g.syncs - syncs; n > 2 {
			t.Errorf("%d syncs for appends that waited together", n)
		}
		if b := l.Bounds(); b != (Bounds{0, 22, 22, 22}) {
			t.Errorf("bounds after the sync %+v", b)
		}
		if !l.WhenDurable(22, nil) {
			t.Error("not durable after the sync")
		}
		if err := l.WaitDurable(context.Background(), 22); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedSyncStopsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := vfs.NewFault(vfs.NewMem())
		l := fsyncLog(t, f)
		at := mustAppend(t, l, records(t, "a"))
		if err := l.WaitDurable(t.Context(), at.LastOffset+1); err != nil {
			t.Fatal(err)
		}
		f.Inject(vfs.Rule{Ops: vfs.OpSync, Err: syscall.EIO, Times: 1}) // only one fails
		at = mustAppend(t, l, records(t, "b"))
		err := l.WaitDurable(t.Context(), at.LastOffset+1)
		if !errors.Is(err, syscall.EIO) || batch.CodeOf(err) != kerr.KafkaStorageError.Code {
			t.Errorf("wait: %v", err)
		}
		if _, err := l.Append(records(t, "c"), AppendArgs{}); !errors.Is(err, syscall.EIO) {
			t.Errorf("append: %v", err)
		}
		if err := l.Flush(); !errors.Is(err, syscall.EIO) {
			t.Errorf("flush: %v", err)
		}
		if got := fmt.Sprint(values(readAll(t, l, 0, 1000))); got != "[a]" {
			t.Errorf("readable: %s", got)
		}
		if err := l.WaitDurable(t.Context(), 2); err == nil {
			t.Error("a later wait ended well")
		}
	})
}

func TestFullDisk(t *testing.T) {
	f := vfs.NewFault(vfs.NewMem())
	o, _ := testOptions(f)
	c := testConfig()
	c.SegmentBytes = 200
	l := mustOpen(t, o, c)
	mustAppend(t, l, sentBy(t, 1, 0, 0, 1))
	for _, op := range []vfs.Op{vfs.OpWrite, vfs.OpOpen} { // into a segment, of a segment
		repair := f.Inject(vfs.Rule{Ops: op, Err: syscall.ENOSPC})
		size, bounds := l.Size(), l.Bounds()
		var err error
		for seq := int32(bounds.LogEnd); err == nil; seq++ {
			size, bounds = l.Size(), l.Bounds()
			_, err = l.Append(sentBy(t, 1, 0, seq, 1), AppendArgs{})
		}
		if !errors.Is(err, syscall.ENOSPC) || batch.CodeOf(err) != kerr.KafkaStorageError.Code {
			t.Fatalf("append: %v", err)
		}
		if l.Size() != size || l.Bounds() != bounds {
			t.Errorf("%d bytes, %+v after the failure, %d, %+v before", l.Size(), l.Bounds(), size, bounds)
		}
		if got := readAll(t, l, 0, 1000); int64(len(got)) != bounds.LogEnd {
			t.Errorf("read %v", got)
		}
		repair()
		// The same batch is not taken for a duplicate.
		if at := mustAppend(t, l, sentBy(t, 1, 0, int32(bounds.LogEnd), 1)); at.Duplicate || at.BaseOffset != bounds.LogEnd {
			t.Errorf("retry: %+v", at)
		}
	}
	want := readAll(t, l, 0, 1000)
	l = mustOpen(t, o, c)
	if got := readAll(t, l, 0, 1000); fmt.Sprint(got) != fmt.Sprint(want) || l.Recovery().Truncated != 0 {
		t.Errorf("reopened %v, want %v; %+v", got, want, l.Recovery())
	}
}

// woken counts what a Waiter is told.
type woken struct{ times, bytes int }

func (w *woken) Wake(bytes int) { w.times++; w.bytes += bytes }

func TestWaiters(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	l := mustOpen(t, o, testConfig())
	var a, b woken
	wa, wb := &Waiter{Waker: &a}, &Waiter{Waker: &b}
	l.Notify(wa)
	l.Notify(wa) // no more than once
	l.Notify(wb)
	first := records(t, "x")
	mustAppend(t, l, first)
	if a != (woken{1, len(first)}) || b != a {
		t.Errorf("woken %+v and %+v", a, b)
	}
	if n := l.Available(0); n != len(first) {
		t.Errorf("%d bytes available, want %d", n, len(first))
	}
	l.Cancel(wa)
	l.Cancel(wa)
	mustAppend(t, l, records(t, "y"))
	if a.times != 1 || b.times != 2 {
		t.Errorf("woken %+v and %+v", a, b)
	}
	if _, err := l.DeleteRecords(1); err != nil || b.times != 3 {
		t.Errorf("woken %+v, %v", b, err)
	}
	if err := l.Close(); err != nil || b.times != 4 {
		t.Errorf("woken %+v, %v", b, err)
	}
	l.Notify(wa)
	if a.times != 2 {
		t.Errorf("a waiter of a closed log was woken %d times", a.times)
	}
	l.Cancel(wb)
}

func TestConcurrentUse(t *testing.T) {
	o, _ := testOptions(vfs.NewMem())
	o.Durability = Fsync
	o.Syncer = NewSyncer(2)
	defer o.Syncer.Close()
	o.TailBytes = 4 << 10
	c := testConfig()
	c.SegmentBytes = 5000
	c.Compact, c.MinDirtyRatio = true, 0
	l := mustOpen(t, o, c)
	var group sync.WaitGroup
	const producers, batches = 4, 100
	for id := range int64(producers) {
		group.Go(func() {
			for seq := range int32(batches) {
				at := mustAppend(t, l, sentBy(t, id, 0, seq, 1))
				if err := l.WaitDurable(context.Background(), at.LastOffset+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		group.Go(func() {
			for offset := int64(0); offset < producers*batches; {
				r, err := l.Read(nil, offset, 700, AtLeastOne)
				if err != nil {
					t.Error(err)
					return
				}
				for _, b := range r.Data {
					for len(b) > 0 {
						h, _, rest, err := batch.Cut(b)
						if err != nil || h.LastOffset() < offset {
							t.Errorf("batch %+v at %d, %v", h, offset, err)
							return
						}
						offset, b = h.NextOffset(), rest
					}
				}
				r.Release()
			}
		})
	}
	group.Go(func() {
		for range 30 {
			if _, err := l.Clean(o.Clock.Now()); err != nil {
				t.Error(err)
			}
			if _, err := l.Retain(o.Clock.Now()); err != nil {
				t.Error(err)
			}
			if _, _, _, err := l.OffsetForTime(math.MinInt64); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
