package clock_test

import (
	"testing"
	"time"

	"github.com/leatstream/leat/internal/clock"
)

func TestManual(t *testing.T) {
	start := time.Unix(1000, 0)
	m := clock.NewManual(start)
	late, early := m.NewTimer(3*time.Second), m.NewTimer(time.Second)
	stopped := m.NewTimer(time.Second)
	called := make(chan struct{})
	m.AfterFunc(2*time.Second, func() { close(called) })
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop reports whether the timer was active")
	}
	m.Advance(2 * time.Second)
	<-called
	if got := m.Now(); !got.Equal(start.Add(2 * time.Second)) {
		t.Errorf("Now = %v", got)
	}
	if at := <-early.C(); !at.Equal(start.Add(time.Second)) {
		t.Errorf("the early timer fired at %v", at)
	}
	select {
	case <-late.C():
		t.Error("the late timer fired too early")
	case <-stopped.C():
		t.Error("a stopped timer fired")
	default:
	}
	if late.Reset(time.Second) != true {
		t.Error("Reset of a running timer reports true")
	}
	m.Advance(time.Second)
	<-late.C()
}
