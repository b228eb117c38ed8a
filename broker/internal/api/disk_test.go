package api

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := make(gate, 2)
		var inside atomic.Int32
		stuck := make(chan struct{})
		ctx, cancel := context.WithCancelCause(t.Context())
		results := make(chan error, 5)
		for range 5 {
			go func() {
				results <- g.within(ctx, func() {
					inside.Add(1)
					<-stuck
				})
			}()
		}
		synctest.Wait()
		if n := inside.Load(); n != 2 {
			t.Fatalf("%d went in; there is room for 2", n)
		}
		gone := errors.New("the client has gone")
		cancel(gone)
		for range 3 {
			if err := <-results; !errors.Is(err, gone) {
				t.Fatal(err)
			}
		}
		close(stuck)
		for range 2 {
			if err := <-results; err != nil {
				t.Fatal(err)
			}
		}
		func() {
			defer func() { _ = recover() }()
			_ = g.within(t.Context(), func() { panic("a bug") })
		}()
		if len(g) != 0 {
			t.Fatal("a place is still taken")
		}
	})
}
