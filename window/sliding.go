package window

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Slides is sliding windows: every set of records of a key that lie at most diff
// apart is in a window of its own. A window spans [start, start+diff], both
// within. There is one that ends with each record, and one that begins behind
// each, if it holds a record; no window starts before the epoch.
type Slides struct {
	diff      millis
	grace     millis
	retention millis // 0: 2*diff + grace
	declared  bool
}

// Sliding is sliding windows in which records are at most diff apart.
func Sliding(diff time.Duration) Slides { return Slides{diff: toMillis(diff), declared: true} }

// Grace is w, but taking late records until d of stream time after a window's
// end.
func (w Slides) Grace(d time.Duration) Slides {
	w.grace = toMillis(d)
	return w
}

// Retention is w, but with windows stored, and to be queried, for d of stream
// time after their start. It is at least twice the difference + grace, which is
// also the default: less could not tell which windows a late record begins.
func (w Slides) Retention(d time.Duration) Slides {
	w.retention = toMillis(d)
	return w
}

// Check reports what is wrong with the parameters, all of it, or nil. Building
// a topology calls it.
func (w Slides) Check() error {
	return errors.Join(
		checkThat(w.declared, "zero sliding windows: make them with window.Sliding"),
		w.diff.check("difference", 0),
		w.grace.check("grace", 0),
		checkRetention(w.retention, 2*w.diff.ms+w.grace.ms, "twice the difference + grace"),
	)
}

// DiffMS is the difference in milliseconds.
func (w Slides) DiffMS() int64 { return w.diff.ms }

// GraceMS is the grace in milliseconds.
func (w Slides) GraceMS() int64 { return w.grace.ms }

// RetentionMS is for how long a window is stored, in milliseconds of stream
// time after its start.
func (w Slides) RetentionMS() int64 { return w.retention.or(2*w.diff.ms + w.grace.ms) }

// Span is the window that starts at start.
func (w Slides) Span(start int64) Span { return Span{StartMS: start, EndMS: addMS(start, w.diff.ms)} }

// Late reports whether a window that ends at end is closed at the given stream
// time: a record for it comes too late.
func (w Slides) Late(end, streamTime int64) bool { return end < subMS(streamTime, w.grace.ms) }

// ClosesAt is the first stream time at which a window that ends at end is
// closed. (One that would close after the end of time is said to close at
// [math.MaxInt64], and never does.)
func (w Slides) ClosesAt(end int64) int64 { return addMS(addMS(end, w.grace.ms), 1) }

// Closable is the latest end of a window that is closed at the given stream
// time: the other way round of ClosesAt.
func (w Slides) Closable(streamTime int64) int64 {
	if c := subMS(streamTime, w.grace.ms); c != math.MinInt64 {
		return c - 1
	}
	return math.MinInt64
}

// String is how w would be written in Go.
func (w Slides) String() string {
	return fmt.Sprintf("Sliding(%v)", w.diff) + suffix("Grace", w.grace) + suffix("Retention", w.retention)
}
