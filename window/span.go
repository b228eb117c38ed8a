package window

import (
	"fmt"
	"time"
)

// Span is the time of one window: its first and its last millisecond for a
// session or a sliding window; for all others its first, and the first behind it.
// Spans are comparable with ==.
type Span struct {
	StartMS int64 // milliseconds since the epoch
	EndMS   int64
}

// Between is the Span from start to end, cut to milliseconds.
func Between(start, end time.Time) Span {
	return Span{StartMS: start.UnixMilli(), EndMS: end.UnixMilli()}
}

// Start is the time at which the window starts, in UTC.
func (s Span) Start() time.Time { return time.UnixMilli(s.StartMS).UTC() }

// End is the time at which the window ends, in UTC: the first moment behind it, the
// last one of a session or a sliding window.
func (s Span) End() time.Time { return time.UnixMilli(s.EndMS).UTC() }

// Size is the time from start to end.
func (s Span) Size() time.Duration { return time.Duration(s.EndMS-s.StartMS) * time.Millisecond }

// Union is the smallest Span that holds s and o.
func (s Span) Union(o Span) Span {
	return Span{StartMS: min(s.StartMS, o.StartMS), EndMS: max(s.EndMS, o.EndMS)}
}

// String is start and end as ISO 8601 writes an interval:
// "2026-05-01T12:00:00Z/2026-05-01T12:05:00Z".
func (s Span) String() string {
	return s.Start().Format(time.RFC3339Nano) + "/" + s.End().Format(time.RFC3339Nano)
}

// Key is a key in one of its windows: the key of every windowed result. It is
// comparable where K is.
type Key[K any] struct {
	Key K
	Span
}

// String is the key, "@" and its Span.
func (k Key[K]) String() string { return fmt.Sprintf("%v@%v", k.Key, k.Span) }
