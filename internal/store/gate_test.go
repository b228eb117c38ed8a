package store

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

func TestGate_AloneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		if err := g.enter(); err != nil {
			t.Fatal(err)
		}
		ran := false
		go func() {
			if err := g.alone(func() error { ran = true; return nil }); err != nil {
				t.Errorf("alone: %v", err)
			}
		}()
		synctest.Wait()
		if ran {
			t.Error("alone with somebody inside")
		}
		// Who is inside may enter again, or nobody would ever go on.
		if err := g.enter(); err != nil {
			t.Error(err)
		}
		g.leave()
		g.leave()
		synctest.Wait()
		if !ran {
			t.Error("not alone after all have left")
		}
		if err := g.enter(); err != nil {
			t.Errorf("enter afterwards: %v", err)
		}
	})
}

func TestGate_AloneKeepsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, release, entered := newGate(), make(chan struct{}), false
		go g.alone(func() error { <-release; return nil })
		synctest.Wait()
		go func() { entered = g.enter() == nil }()
		synctest.Wait()
		if entered {
			t.Error("entered while somebody is alone")
		}
		close(release)
		synctest.Wait()
		if !entered {
			t.Error("did not enter afterwards")
		}
	})
}

func TestGate_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, closed := newGate(), false
		if err := g.enter(); err != nil {
			t.Fatal(err)
		}
		go func() { closed = g.close() }()
		synctest.Wait()
		if closed {
			t.Error("closed with somebody inside")
		}
		if err := g.enter(); !errors.Is(err, ErrClosed) {
			t.Errorf("enter while closing = %v", err)
		}
		g.leave()
		synctest.Wait()
		if !closed || g.close() {
			t.Errorf("closed = %t, and closed again", closed)
		}
	})
}

func TestClose_GivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{opts: Options{Clock: clock.System}}
		release := make(chan struct{})
		err := d.within(time.Minute, func() error { <-release; return nil })
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("within = %v", err)
		}
		close(release)
		if err := d.within(time.Minute, func() error { return nil }); err != nil {
			t.Errorf("within = %v", err)
		}
	})
}
