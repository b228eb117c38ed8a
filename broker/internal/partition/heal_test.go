package partition

import (
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// TestRetain_Heals: a log whose sync failed takes records again once what it
// holds could be written again, in all its segments.
func TestRetain_Heals(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	o, _ := testOptions(fs)
	l := mustOpen(t, o, testConfig())
	defer l.Close()
	mustAppend(t, l, records(t, "synced"))
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	want := []string{"synced"}
	for _, v := range []string{"a", "b", "c"} {
		mustAppend(t, l, records(t, v))
		l.mu.Lock()
		if err := l.roll(); err != nil {
			t.Fatal(err)
		}
		l.mu.Unlock()
		want = append(want, v)
	}
	repair := fs.Inject(vfs.Rule{Ops: vfs.OpSync, Err: syscall.EIO})
	if err := l.Flush(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("flush: %v", err)
	}
	for range 2 {
		if _, err := l.Retain(time.UnixMilli(0)); !errors.Is(err, syscall.EIO) || l.Trouble() == nil {
			t.Fatalf("retention on a disk that fails: %v", err)
		}
	}
	if _, err := l.Append(records(t, "refused"), AppendArgs{}); !errors.Is(err, syscall.EIO) {
		t.Fatalf("append: %v", err)
	}
	repair()
	if _, err := l.Retain(time.UnixMilli(0)); err != nil || l.Trouble() != nil {
		t.Fatalf("retention afterwards: %v", err)
	}
	mustAppend(t, l, records(t, "after"))
	if got := values(readAll(t, l, 0, 1<<20)); !slices.Equal(got, append(want, "after")) {
		t.Errorf("%q", got)
	}
}

// TestRetain_CannotHeal: what is read back otherwise than it was written stays
// out of reach.
func TestRetain_CannotHeal(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	o, _ := testOptions(fs)
	l := mustOpen(t, o, testConfig())
	defer l.Close()
	mustAppend(t, l, records(t, "lost by the operating system"))
	repair := fs.Inject(vfs.Rule{Ops: vfs.OpSync, Err: syscall.EIO})
	if err := l.Flush(); err == nil {
		t.Fatal("the flush succeeded")
	}
	repair()
	f, err := fs.OpenFile(l.active().Path(), vfs.Existing)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff}, batch.HeaderSize+5); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Retain(time.UnixMilli(0)); !errors.Is(err, batch.ErrCorrupt) || l.Trouble() == nil {
		t.Errorf("retention: %v", err)
	}
}
