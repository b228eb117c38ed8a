package window

import (
	"errors"
	"fmt"
	"time"
)

// Join is how far apart in time two records may be to be joined: a record of
// the other stream must be at most before earlier, and at most after later,
// than one of this stream.
type Join struct {
	before millis
	after  millis
	grace  millis
}

// Within joins records at most d apart, either way.
func Within(d time.Duration) Join { return Join{before: toMillis(d), after: toMillis(d)} }

// Before is w, but with the other record at most d earlier. A negative d says
// that it is at least -d later.
func (w Join) Before(d time.Duration) Join {
	w.before = toMillis(d)
	return w
}

// After is w, but with the other record at most d later. A negative d says that
// it is at least -d earlier.
func (w Join) After(d time.Duration) Join {
	w.after = toMillis(d)
	return w
}

// Grace is w, but waiting for late records for d more of stream time.
func (w Join) Grace(d time.Duration) Join {
	w.grace = toMillis(d)
	return w
}

// Check reports what is wrong with the parameters, all of it, or nil. Building
// a topology calls it.
func (w Join) Check() error {
	return errors.Join(
		w.before.check("before", -maxMS),
		w.after.check("after", -maxMS),
		w.grace.check("grace", 0),
		checkThat(w.before.ms+w.after.ms >= 0, "before %v and after %v leave no time in which a record could join", w.before, w.after),
	)
}

// BeforeMS is how much earlier the other record may be, in milliseconds.
func (w Join) BeforeMS() int64 { return w.before.ms }

// AfterMS is how much later the other record may be, in milliseconds.
func (w Join) AfterMS() int64 { return w.after.ms }

// GraceMS is the grace in milliseconds.
func (w Join) GraceMS() int64 { return w.grace.ms }

// RetentionMS is for how long a record must be stored to be joined, in
// milliseconds of stream time: before + after + grace.
func (w Join) RetentionMS() int64 { return w.before.ms + w.after.ms + w.grace.ms }

// Mirror is w as the other stream sees it.
func (w Join) Mirror() Join {
	w.before, w.after = w.after, w.before
	return w
}

// Range is the times of the other stream's records that join one of time ts,
// lo to hi, both within. It is empty where hi < lo, as no record is from before
// the epoch.
func (w Join) Range(ts int64) (lo, hi int64) {
	return max(0, subMS(ts, w.before.ms)), addMS(ts, w.after.ms)
}

// Late reports whether a record of time ts is closed at the given stream time:
// no record of the other stream can join it any more.
func (w Join) Late(ts, streamTime int64) bool { return addMS(ts, w.after.ms+w.grace.ms) < streamTime }

// ClosesAt is the first stream time at which a record of time ts is closed.
// (One that would close after the end of time is said to close at
// [math.MaxInt64], and never does.)
func (w Join) ClosesAt(ts int64) int64 { return addMS(addMS(ts, w.after.ms+w.grace.ms), 1) }

// String is how w would be written in Go.
func (w Join) String() string {
	s := fmt.Sprintf("Within(%v)", w.before)
	if w.before != w.after {
		s += fmt.Sprintf(".After(%v)", w.after)
	}
	return s + suffix("Grace", w.grace)
}
