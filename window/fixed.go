package window

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"time"
)

// Fixed is windows that don't depend on the records, so that a record's time
// alone says which ones it is in: those of one size on a grid that starts at the
// epoch ([Tumbling], [Hopping]), a single one without an end ([Unlimited]), or
// those of a function of the user's ([Custom]). They are [start, end). No window
// starts before the epoch, and records from before it are in none.
type Fixed struct {
	size      millis
	advance   millis
	grace     millis
	retention millis // 0: size + grace
	off       *offGrid
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
// default. An Unlimited window is stored for good.
func (w Fixed) Retention(d time.Duration) Fixed {
	w.retention = toMillis(d)
	return w
}

// Check reports what is wrong with the parameters, all of it, or nil. Building
// a topology calls it.
func (w Fixed) Check() error {
	if w.off != nil {
		return w.checkOff()
	}
	return errors.Join(
		w.size.check("size", 1),
		w.advance.check("advance", 1),
		w.grace.check("grace", 0),
		checkThat(w.advance.ms <= w.size.ms, "advance %v is larger than the size %v: records would fall between windows", w.advance, w.size),
		checkRetention(w.retention, w.size.ms+w.grace.ms, "size + grace"),
	)
}

// SizeMS is the size of each window in milliseconds, of the longest if they
// differ, and [math.MaxInt64] for an Unlimited one.
func (w Fixed) SizeMS() int64 {
	if w.Endless() {
		return math.MaxInt64
	}
	return w.size.ms
}

// AdvanceMS is the time from one window's start to the next in milliseconds; 0
// if they don't lie on a grid.
func (w Fixed) AdvanceMS() int64 { return w.advance.ms }

// GraceMS is the grace in milliseconds.
func (w Fixed) GraceMS() int64 { return w.grace.ms }

// RetentionMS is for how long a window is stored, in milliseconds of stream
// time after its start; 0 is for good.
func (w Fixed) RetentionMS() int64 {
	if w.Endless() {
		return 0
	}
	return w.retention.or(w.size.ms + w.grace.ms)
}

// Endless reports whether the windows never end, and so never close.
func (w Fixed) Endless() bool { return w.off != nil && w.off.at == nil }

// Spans is the windows a record of time ts is in, from the first to the last.
// Ranging over it allocates nothing. It must not be called where Check fails.
func (w Fixed) Spans(ts int64) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		s, n := w.First(ts)
		for ; n > 0; n-- {
			if !yield(s) {
				return
			}
			s = w.Next(s)
		}
	}
}

// First is the first window that a record of time ts is in, and the number of
// such windows; Next gives the others. It must not be called where Check fails.
func (w Fixed) First(ts int64) (s Span, n int64) {
	if w.off != nil {
		s, err := w.off.span(ts, w.size.ms)
		if s == (Span{}) || err != nil {
			return Span{}, 0
		}
		return s, 1
	}
	if ts < 0 {
		return Span{}, 0
	}
	last := ts - ts%w.advance.ms
	if w.advance.ms == w.size.ms {
		return Span{StartMS: last, EndMS: addMS(last, w.size.ms)}, 1
	}
	// The first multiple of the advance that is more than ts-size.
	first := max(0, ts-w.size.ms+w.advance.ms)
	first -= first % w.advance.ms
	return Span{StartMS: first, EndMS: addMS(first, w.size.ms)}, (last-first)/w.advance.ms + 1
}

// Next is the window after s, on a grid.
func (w Fixed) Next(s Span) Span {
	start := addMS(s.StartMS, w.advance.ms)
	return Span{StartMS: start, EndMS: addMS(start, w.size.ms)}
}

// Late reports whether a window that ends at end is closed at the given stream
// time: a record for it comes too late.
func (w Fixed) Late(end, streamTime int64) bool { return end <= subMS(streamTime, w.grace.ms) }

// ClosesAt is the first stream time at which a window that ends at end is
// closed.
func (w Fixed) ClosesAt(end int64) int64 { return addMS(end, w.grace.ms) }

// String is how w would be written in Go.
func (w Fixed) String() string {
	s := fmt.Sprintf("Hopping(%v, %v)", w.size, w.advance)
	switch {
	case w.off != nil:
		s = w.off.name(w.size)
	case w.size == w.advance:
		s = fmt.Sprintf("Tumbling(%v)", w.size)
	}
	return s + suffix("Grace", w.grace) + suffix("Retention", w.retention)
}
