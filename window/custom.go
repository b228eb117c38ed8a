package window

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// offGrid is Fixed windows that don't lie on a grid.
type offGrid struct {
	start int64                                    // of the only one, if at is nil
	at    func(t time.Time) (start, end time.Time) // of Custom
}

// Unlimited is one window for all records from start on, without an end. (Its
// Span ends at [math.MaxInt64] milliseconds.) Records from before start are in
// no window. It never closes, so it takes no grace, and what it holds is never
// deleted: it is for a count that begins at some day.
func Unlimited(start time.Time) Fixed { return Fixed{off: &offGrid{start: start.UnixMilli()}} }

// Custom is windows of a function of yours: at is given a record's time, in UTC,
// and returns the window that the record is in, as its start and the first moment
// behind its end. Two zero times say that it is in none. No window may be longer
// than longest, which is how long it is stored for at least. The function must
// always say the same of the same time, and of every time in the same window.
//
// It is for what isn't of one size: days in a time zone, months, shifts, the
// quarters of a business year.
func Custom(longest time.Duration, at func(t time.Time) (start, end time.Time)) Fixed {
	if at == nil {
		at = func(time.Time) (start, end time.Time) { return start, end }
	}
	return Fixed{size: toMillis(longest), off: &offGrid{at: at}}
}

func (w Fixed) checkOff() error {
	if w.Endless() {
		return errors.Join(
			checkThat(w.off.start >= 0, "start %v is before 1970, from when records have no timestamps", time.UnixMilli(w.off.start).UTC()),
			checkThat(w.grace == millis{} && w.retention == millis{}, "an unlimited window never closes: it takes neither grace nor retention"),
		)
	}
	return errors.Join(
		w.size.check("longest window", 1),
		w.grace.check("grace", 0),
		checkRetention(w.retention, w.size.ms+w.grace.ms, "longest window + grace"),
	)
}

// Misfit is an error if the function of Custom windows gives a window for ts
// that ts isn't in, or that is too long.
func (w Fixed) Misfit(ts int64) error {
	if w.off == nil {
		return nil
	}
	_, err := w.off.span(ts, w.size.ms)
	return err
}

// span is the window of ts, the zero Span if there is none.
func (o *offGrid) span(ts, longest int64) (Span, error) {
	if ts < 0 {
		return Span{}, nil
	}
	if o.at == nil {
		if ts < o.start {
			return Span{}, nil
		}
		return Span{StartMS: o.start, EndMS: math.MaxInt64}, nil
	}
	t := time.UnixMilli(ts).UTC()
	start, end := o.at(t)
	if start.IsZero() && end.IsZero() {
		return Span{}, nil
	}
	s := Between(start, end)
	switch {
	case ts < s.StartMS || ts >= s.EndMS:
		return Span{}, fmt.Errorf("the function of a custom window puts %v into %v, where it isn't", t, s)
	case s.EndMS-s.StartMS > longest:
		return Span{}, fmt.Errorf("the function of a custom window made one of %v, and said that none is longer than %v", s.Size(), millis{ms: longest})
	}
	// A window may have begun before the epoch; it has no part there.
	s.StartMS = max(0, s.StartMS)
	return s, nil
}

func (o *offGrid) name(longest millis) string {
	if o.at == nil {
		return fmt.Sprintf("Unlimited(%v)", time.UnixMilli(o.start).UTC().Format(time.RFC3339Nano))
	}
	return fmt.Sprintf("Custom(%v)", longest)
}
