// Package invariant is for what must be true unless leat has a bug.
//
// Bad data, bad configuration and bad luck are errors, never violations: a
// violation is a fault of the code around the call, and going on would only
// spread it. [Violated] always panics. [Check] costs nothing in an ordinary
// build; it is on under the race detector and with -tags invariants, that is in
// our tests. For a check that is itself costly, test [Enabled] first.
package invariant

import "fmt"

// Error is what a violation panics with, so that a recover at the rim of a
// goroutine can tell a bug of leat from one of a user's function.
type Error struct{ Text string }

// Error is the text, said to be a bug.
func (e *Error) Error() string { return "invariant violated, a bug in leat: " + e.Text }

// Violated panics with an *[Error].
func Violated(format string, args ...any) {
	panic(&Error{Text: fmt.Sprintf(format, args...)})
}

// Check panics as [Violated] does unless ok, where checks are [Enabled]. Its
// arguments are evaluated, and may allocate, in any build: on the record path
// put it under if invariant.Enabled.
func Check(ok bool, format string, args ...any) {
	if Enabled && !ok {
		Violated(format, args...)
	}
}
