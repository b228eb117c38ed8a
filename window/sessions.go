package window

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Sessions is windows that end where a key was silent for longer than a gap.
// A session is [start, end], from its first record to its last, both within;
// a record that is exactly the gap away still belongs to it. A record near two
// sessions joins them into one.
type Sessions struct {
	gap       millis
	grace     millis
	retention millis // 0: gap + grace
	declared  bool
}

// Session is sessions with the given gap. With a gap of 0, records of one time
// make a session.
func Session(gap time.Duration) Sessions { return Sessions{gap: toMillis(gap), declared: true} }

// Grace is w, but taking late records until d of stream time after a session
// could last have been continued.
func (w Sessions) Grace(d time.Duration) Sessions {
	w.grace = toMillis(d)
	return w
}

// Retention is w, but with sessions stored, and to be queried, for d of stream
// time after their end. It is at least gap + grace, which is also the default.
func (w Sessions) Retention(d time.Duration) Sessions {
	w.retention = toMillis(d)
	return w
}

// Check reports what is wrong with the parameters, all of it, or nil. Building
// a topology calls it.
func (w Sessions) Check() error {
	return errors.Join(
		checkThat(w.declared, "zero sessions: make them with window.Session"),
		w.gap.check("gap", 0),
		w.grace.check("grace", 0),
		checkRetention(w.retention, w.gap.ms+w.grace.ms, "gap + grace"),
	)
}

// GapMS is the gap in milliseconds.
func (w Sessions) GapMS() int64 { return w.gap.ms }

// GraceMS is the grace in milliseconds.
func (w Sessions) GraceMS() int64 { return w.grace.ms }

// RetentionMS is for how long a session is stored, in milliseconds of stream
// time after its end.
func (w Sessions) RetentionMS() int64 { return w.retention.or(w.gap.ms + w.grace.ms) }

// Near is the times a record of time ts reaches to: it belongs to the sessions
// that have some part in lo to hi, both within.
func (w Sessions) Near(ts int64) (lo, hi int64) { return subMS(ts, w.gap.ms), addMS(ts, w.gap.ms) }

// Joins reports whether a record of time ts belongs to session s.
func (w Sessions) Joins(s Span, ts int64) bool {
	lo, hi := w.Near(ts)
	return s.StartMS <= hi && s.EndMS >= lo
}

// Late reports whether a session that ends at end is closed at the given
// stream time: no record can continue it any more.
func (w Sessions) Late(end, streamTime int64) bool {
	return end < subMS(streamTime, w.gap.ms+w.grace.ms)
}

// ClosesAt is the first stream time at which a session that ends at end is
// closed. (One that would close after the end of time is said to close at
// [math.MaxInt64], and never does.)
func (w Sessions) ClosesAt(end int64) int64 {
	return addMS(addMS(end, w.gap.ms+w.grace.ms), 1)
}

// Closable is the latest end of a session that is closed at the given stream
// time: the other way round of ClosesAt.
func (w Sessions) Closable(streamTime int64) int64 {
	if c := subMS(streamTime, w.gap.ms+w.grace.ms); c != math.MinInt64 {
		return c - 1
	}
	return math.MinInt64
}

// String is how w would be written in Go.
func (w Sessions) String() string {
	return fmt.Sprintf("Session(%v)", w.gap) + suffix("Grace", w.grace) + suffix("Retention", w.retention)
}
