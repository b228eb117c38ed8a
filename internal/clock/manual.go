package clock

import (
	"sync"
	"time"
)

// Manual is a clock that stands still until it is advanced.
type Manual struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*manualTimer]struct{}
}

// NewManual returns a clock that stands at the given time.
func NewManual(at time.Time) *Manual {
	return &Manual{now: at, timers: map[*manualTimer]struct{}{}}
}

// Now implements Clock.
func (m *Manual) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves the clock on and fires the timers that are due, in the order of
// their times. Functions of AfterFunc run in goroutines of their own.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := m.now.Add(d)
	for {
		t := m.earliest(end)
		if t == nil {
			break
		}
		m.now = t.at
		delete(m.timers, t)
		if t.f != nil {
			go t.f()
			continue
		}
		select {
		case t.c <- m.now:
		default: // nobody took the last one
		}
	}
	m.now = end
}

func (m *Manual) earliest(end time.Time) *manualTimer {
	var first *manualTimer
	for t := range m.timers {
		if !t.at.After(end) && (first == nil || t.at.Before(first.at)) {
			first = t
		}
	}
	return first
}

// NewTimer implements Clock.
func (m *Manual) NewTimer(d time.Duration) Timer { return m.start(d, nil) }

// AfterFunc implements Clock.
func (m *Manual) AfterFunc(d time.Duration, f func()) Timer { return m.start(d, f) }

func (m *Manual) start(d time.Duration, f func()) Timer {
	t := &manualTimer{m: m, f: f}
	if f == nil {
		t.c = make(chan time.Time, 1)
	}
	t.Reset(d)
	return t
}

type manualTimer struct {
	m  *Manual
	at time.Time
	c  chan time.Time
	f  func()
}

func (t *manualTimer) C() <-chan time.Time { return t.c }

func (t *manualTimer) Stop() bool {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	_, active := t.m.timers[t]
	delete(t.m.timers, t)
	return active
}

func (t *manualTimer) Reset(d time.Duration) bool {
	t.m.mu.Lock()
	_, active := t.m.timers[t]
	t.at = t.m.now.Add(max(0, d))
	t.m.timers[t] = struct{}{}
	t.m.mu.Unlock()
	return active
}
