package window

import (
	"errors"
	"fmt"
	"iter"
	"time"
)

// Fixed is windows of one size on a grid that starts at the epoch: [start, end)
// with every start a multiple of the advance. No window starts before the
// epoch, and records from before it are in none.
type Fixed struct {
	size      millis
	advance   millis
	grace     millis
	retention millis // 0: size + grace
}

// Tumbling is windows that neither overlap nor leave gaps: each record is in
// one.
func Tumbling(size time.Duration) Fixed { return Hopping(size, size) }

// Hopping is windows of the given size, one starting at each multiple of
// advance: a record is in size/advance of them. Advance is at most size.
func Hopping(size, advance time.Duration) Fixed {
	return Fixed{size: toMillis(size), advance: toMillis(advance)}
}

// Grace is w, but taking late records until d of stream time after a window's
// end.
func (w Fixed) Grace(d time.Duration) Fixed {
	w.grace = toMillis(d)
	return w
}

// Retention is w, but with windows stored, and to be queried, for d of stream
// time after their start. It is at least size + grace, which is also the
// default.
func (w Fixed) Retention(d time.Duration) Fixed {
	w.retention = toMillis(d)
	return w
}

// Check reports what is wrong with the parameters, all of it, or nil. Building
// a topology calls it.
func (w Fixed) Check() error {
	return errors.Join(
		w.size.check("size", 1),
		w.advance.check("advance", 1),
		w.grace.check("grace", 0),
		checkThat(w.advance.ms <= w.size.ms, "advance %v is larger than the size %v: records would fall between windows", w.advance, w.size),
		checkRetention(w.retention, w.size.ms+w.grace.ms, "size + grace"),
	)
}

// SizeMS is the size of each window in milliseconds.
func (w Fixed) SizeMS() int64 { return w.size.ms }

// AdvanceMS is the time from one window's start to the next in milliseconds.
func (w Fixed) AdvanceMS() int64 { return w.advance.ms }

// GraceMS is the grace in milliseconds.
func (w Fixed) GraceMS() int64 { return w.grace.ms }

// RetentionMS is for how long a window is stored, in milliseconds of stream
// time after its start.
func (w Fixed) RetentionMS() int64 { return w.retention.or(w.size.ms + w.grace.ms) }

// Spans is the windows a record of time ts is in, from the first to the last.
// Ranging over it allocates nothing. It must not be called where Check fails.
func (w Fixed) Spans(ts int64) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		first, n := w.Starts(ts)
		for i := range n {
			if !yield(w.Span(first + i*w.advance.ms)) {
				return
			}
		}
	}
}

// Starts is the first start of a window that a record of time ts is in, and the
// number of such windows; the others follow in steps of the advance. It must
// not be called where Check fails.
func (w Fixed) Starts(ts int64) (first, n int64) {
	if ts < 0 {
		return 0, 0
	}
	last := ts - ts%w.advance.ms
	// The first multiple of the advance that is more than ts-size.
	first = max(0, ts-w.size.ms+w.advance.ms)
	first -= first % w.advance.ms
	return first, (last-first)/w.advance.ms + 1
}

// Span is the window that starts at start.
func (w Fixed) Span(start int64) Span { return Span{StartMS: start, EndMS: addMS(start, w.size.ms)} }

// Late reports whether the window that starts at start is closed at the given
// stream time: a record for it comes too late.
func (w Fixed) Late(start, streamTime int64) bool {
	return addMS(start, w.size.ms) <= subMS(streamTime, w.grace.ms)
}

// ClosesAt is the first stream time at which the window that starts at start
// is closed.
func (w Fixed) ClosesAt(start int64) int64 {
	return addMS(addMS(start, w.size.ms), w.grace.ms)
}

// String is how w would be written in Go.
func (w Fixed) String() string {
	s := fmt.Sprintf("Hopping(%v, %v)", w.size, w.advance)
	if w.size == w.advance {
		s = fmt.Sprintf("Tumbling(%v)", w.size)
	}
	return s + suffix("Grace", w.grace) + suffix("Retention", w.retention)
}
