// Package clock is the seam through which leat reads time.
//
// No other package of leat calls time.Now, time.After or time.NewTimer, so that
// a test (or a simulator) can run an application and a broker under a time of
// its own. It is not a place for durations, windows or stream time.
package clock

import "time"

// Clock tells the time and makes timers. Implementations are safe for
// concurrent use.
type Clock interface {
	// Now is the current time.
	Now() time.Time
	// NewTimer returns a timer that sends once on its channel after d.
	NewTimer(d time.Duration) Timer
	// AfterFunc runs f in its own goroutine after d, unless stopped before.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a running timer.
type Timer interface {
	// C is the channel that receives the time at which the timer fired. It is
	// nil for a timer made by AfterFunc.
	C() <-chan time.Time
	// Stop prevents the timer from firing; it reports whether it did.
	Stop() bool
	// Reset makes the timer fire after d from now; it reports whether the
	// timer had been active.
	Reset(d time.Duration) bool
}

// System is the clock of the operating system. Inside a testing/synctest
// bubble it is the bubble's clock.
var System Clock = system{}

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

func (system) AfterFunc(d time.Duration, f func()) Timer {
	return systemTimer{time.AfterFunc(d, f)}
}

type systemTimer struct{ t *time.Timer }

func (t systemTimer) C() <-chan time.Time        { return t.t.C }
func (t systemTimer) Stop() bool                 { return t.t.Stop() }
func (t systemTimer) Reset(d time.Duration) bool { return t.t.Reset(d) }

// Or returns c, or System where c is nil.
func Or(c Clock) Clock {
	if c == nil {
		return System
	}
	return c
}
