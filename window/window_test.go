package window_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/window"
	"pgregory.net/rapid"
)

const ms = time.Millisecond

// durations are small, so that a naive model can try each millisecond.
func durations(lo, hi int) *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.IntRange(lo, hi), func(n int) time.Duration { return time.Duration(n) * ms })
}

// near is times around the one at which something changes, where mistakes are.
func near(at int64) *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64Range(at-2, at+2), rapid.Int64Range(-1, 300))
}

func TestFixed_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := durations(1, 40).Draw(t, "size")
		advance := durations(1, int(size/ms)).Draw(t, "advance")
		grace := durations(0, 20).Draw(t, "grace")
		w := window.Hopping(size, advance).Grace(grace)
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		ts := rapid.Int64Range(-5, 200).Draw(t, "ts")

		// The model: every multiple of the advance from 0 on, if ts is in its window.
		var want []window.Span
		for start := int64(0); ts >= 0 && start <= ts; start += w.AdvanceMS() {
			if s := (window.Span{StartMS: start, EndMS: start + w.SizeMS()}); ts < s.EndMS {
				want = append(want, s)
			}
		}
		if got := slices.Collect(w.Spans(ts)); !slices.Equal(got, want) {
			t.Fatalf("%v: a record of %d is in %v, want %v", w, ts, got, want)
		}
		first, n := w.First(ts)
		if int(n) != len(want) || n > 0 && first != want[0] {
			t.Fatalf("%v: First(%d) = %v, %d, want %v", w, ts, first, n, want)
		}
		for _, s := range want {
			streamTime := near(s.EndMS+w.GraceMS()).Draw(t, "stream time")
			late := s.EndMS <= streamTime-w.GraceMS()
			if w.Late(s.EndMS, streamTime) != late || late != (streamTime >= w.ClosesAt(s.EndMS)) {
				t.Fatalf("%v at %d: Late = %t, ClosesAt = %d, want late = %t", w, streamTime,
					w.Late(s.EndMS, streamTime), w.ClosesAt(s.EndMS), late)
			}
		}
	})
}

// TestSpans_LargeTimes has times that overflow if added to: garbage from a
// record's timestamp must neither panic nor loop.
func TestSpans_LargeTimes(t *testing.T) {
	w := window.Hopping(10*ms, 3*ms).Grace(time.Hour)
	for _, ts := range []int64{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - 9} {
		n := 0
		for s := range w.Spans(ts) {
			if n++; s.StartMS > ts || s.EndMS < ts || ts-s.StartMS >= 10 {
				t.Errorf("a record of %d is in %d to %d", ts, s.StartMS, s.EndMS)
			}
			if w.Late(s.EndMS, math.MinInt64) || w.ClosesAt(s.EndMS) < ts {
				t.Errorf("the window of %d is over before it starts", ts)
			}
		}
		if n < 3 || n > 4 {
			t.Errorf("a record of %d is in %d windows", ts, n)
		}
	}
	if got := slices.Collect(w.Spans(math.MinInt64)); len(got) > 0 {
		t.Errorf("a record from before the epoch is in %v", got)
	}
	if w.Late(0, math.MinInt64) || !w.Late(0, math.MaxInt64) {
		t.Error("late at the start of time, or not at its end")
	}
	j := window.Within(time.Hour).Grace(time.Hour)
	if lo, hi := j.Range(math.MaxInt64); lo > hi || hi != math.MaxInt64 {
		t.Errorf("join range %d to %d", lo, hi)
	}
	if lo, hi := j.Range(math.MinInt64); lo <= hi {
		t.Errorf("a record from before the epoch joins %d to %d", lo, hi)
	}
	s := window.Session(time.Hour)
	if lo, hi := s.Near(math.MaxInt64); lo > hi {
		t.Errorf("session range %d to %d", lo, hi)
	}
	if s.Closable(math.MinInt64) != math.MinInt64 {
		t.Error("a session closes before the start of time")
	}
}

func TestSessions_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window.Session(durations(1, 30).Draw(t, "gap")).Grace(durations(0, 20).Draw(t, "grace"))
		start := rapid.Int64Range(0, 100).Draw(t, "start")
		s := window.Span{StartMS: start, EndMS: start + rapid.Int64Range(0, 50).Draw(t, "length")}
		ts := rapid.Int64Range(0, 200).Draw(t, "ts")

		// The model: some time in the session is at most the gap away.
		joins := false
		for at := s.StartMS; at <= s.EndMS; at++ {
			joins = joins || max(at-ts, ts-at) <= w.GapMS()
		}
		if w.Joins(s, ts) != joins {
			t.Fatalf("%v: a record of %d joins %v: %t, want %t", w, ts, s, !joins, joins)
		}

		streamTime := near(s.EndMS+w.GapMS()+w.GraceMS()).Draw(t, "stream time")
		late := s.EndMS < streamTime-w.GapMS()-w.GraceMS()
		if w.Late(s.EndMS, streamTime) != late || late != (streamTime >= w.ClosesAt(s.EndMS)) ||
			late != (s.EndMS <= w.Closable(streamTime)) {
			t.Fatalf("%v at %d: Late = %t, ClosesAt = %d, Closable = %d, want late = %t", w, streamTime,
				w.Late(s.EndMS, streamTime), w.ClosesAt(s.EndMS), w.Closable(streamTime), late)
		}
	})
}

func TestJoin_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := durations(-20, 20).Draw(t, "before")
		after := durations(int(-before/ms), 30).Draw(t, "after")
		w := window.Within(0).Before(before).After(after).Grace(durations(0, 20).Draw(t, "grace"))
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		this, other := rapid.Int64Range(0, 60).Draw(t, "this"), rapid.Int64Range(0, 60).Draw(t, "other")

		joins := other >= this-w.BeforeMS() && other <= this+w.AfterMS()
		lo, hi := w.Range(this)
		if got := lo <= other && other <= hi; got != joins {
			t.Fatalf("%v: %d joins %d: %t, want %t", w, this, other, got, joins)
		}
		lo, hi = w.Mirror().Range(other)
		if got := lo <= this && this <= hi; got != joins {
			t.Fatalf("%v: %d joins %d from the other side: %t, want %t", w, this, other, got, joins)
		}

		streamTime := near(this+w.AfterMS()+w.GraceMS()).Draw(t, "stream time")
		late := this+w.AfterMS()+w.GraceMS() < streamTime
		if w.Late(this, streamTime) != late || late != (streamTime >= w.ClosesAt(this)) {
			t.Fatalf("%v at %d: Late(%d) = %t, ClosesAt = %d, want late = %t", w, streamTime, this,
				w.Late(this, streamTime), w.ClosesAt(this), late)
		}
	})
}

func TestSlides_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := window.Sliding(durations(0, 30).Draw(t, "diff")).Grace(durations(0, 20).Draw(t, "grace"))
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		s := w.Span(rapid.Int64Range(0, 100).Draw(t, "start"))
		if s.EndMS != s.StartMS+w.DiffMS() {
			t.Fatalf("%v: %d to %d", w, s.StartMS, s.EndMS)
		}
		streamTime := near(s.EndMS+w.GraceMS()).Draw(t, "stream time")
		late := s.EndMS < streamTime-w.GraceMS()
		if w.Late(s.EndMS, streamTime) != late || late != (streamTime >= w.ClosesAt(s.EndMS)) ||
			late != (s.EndMS <= w.Closable(streamTime)) {
			t.Fatalf("%v at %d: Late = %t, ClosesAt = %d, Closable = %d, want late = %t", w, streamTime,
				w.Late(s.EndMS, streamTime), w.ClosesAt(s.EndMS), w.Closable(streamTime), late)
		}
	})
	if c := window.Sliding(ms).Closable(math.MinInt64); c != math.MinInt64 {
		t.Errorf("before the start of time, windows up to %d are closed", c)
	}
}

func TestUnlimited(t *testing.T) {
	w := window.Unlimited(time.UnixMilli(100))
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	all := window.Span{StartMS: 100, EndMS: math.MaxInt64}
	for ts, want := range map[int64][]window.Span{-1: nil, 99: nil, 100: {all}, math.MaxInt64: {all}} {
		if got := slices.Collect(w.Spans(ts)); !slices.Equal(got, want) {
			t.Errorf("a record of %d is in %v, want %v", ts, got, want)
		}
	}
	if !w.Endless() || w.Late(all.EndMS, math.MaxInt64-1) || w.RetentionMS() != 0 || w.SizeMS() != math.MaxInt64 {
		t.Error("an unlimited window ends")
	}
	if window.Tumbling(ms).Endless() {
		t.Error("a tumbling window doesn't end")
	}
}

// weeks are from Monday to Sunday, but none is on a day before the 5th.
func weeks(t time.Time) (start, end time.Time) {
	start = time.Date(t.Year(), t.Month(), t.Day()-(int(t.Weekday())+6)%7, 0, 0, 0, 0, time.UTC)
	if start.Day() < 5 {
		return time.Time{}, time.Time{}
	}
	return start, start.AddDate(0, 0, 7)
}

func TestCustom(t *testing.T) {
	w := window.Custom(7*24*time.Hour, weeks).Grace(time.Hour)
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	monday := time.Date(2026, 5, 11, 0, 0, 0, 0, time.UTC)
	week := window.Between(monday, monday.AddDate(0, 0, 7))
	for at, want := range map[time.Time][]window.Span{
		monday:                           {week},
		monday.AddDate(0, 0, 7).Add(-ms): {week},
		time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC): nil,
		time.UnixMilli(-1):                          nil,
	} {
		if got := slices.Collect(w.Spans(at.UnixMilli())); !slices.Equal(got, want) {
			t.Errorf("a record of %v is in %v, want %v", at, got, want)
		}
		if err := w.Misfit(at.UnixMilli()); err != nil {
			t.Error(err)
		}
	}
	if w.ClosesAt(week.EndMS) != week.EndMS+3_600_000 || w.RetentionMS() != 7*24*3_600_000+3_600_000 || w.Endless() {
		t.Errorf("%v closes at %d and is kept for %d", week, w.ClosesAt(week.EndMS), w.RetentionMS())
	}
	// The week of the epoch began before it.
	if got := slices.Collect(window.Custom(7*24*time.Hour, func(time.Time) (start, end time.Time) {
		start = time.UnixMilli(-5)
		return start, start.Add(10 * ms)
	}).Spans(3)); !slices.Equal(got, []window.Span{{StartMS: 0, EndMS: 5}}) {
		t.Errorf("got %v", got)
	}
}

// A function that is wrong about a record loses no record in silence.
func TestCustom_Misfit(t *testing.T) {
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	w := window.Custom(time.Hour, func(t time.Time) (start, end time.Time) {
		if t.Hour() == 7 {
			return day, day.AddDate(0, 0, 1)
		}
		return day, day.Add(time.Hour)
	})
	for hour, part := range map[int]string{0: "", 5: "where it isn't", 7: "made one of 24h0m0s, and said that none is longer than 1h0m0s"} {
		ts := day.Add(time.Duration(hour) * time.Hour).UnixMilli()
		err := w.Misfit(ts)
		if (err != nil) != (part != "") || err != nil && !strings.Contains(err.Error(), part) {
			t.Errorf("at %d o'clock: %v, want %q", hour, err, part)
		}
		if _, n := w.First(ts); (n == 1) != (part == "") {
			t.Errorf("at %d o'clock there are %d windows", hour, n)
		}
	}
	if err := window.Tumbling(ms).Misfit(7); err != nil {
		t.Error(err)
	}
}

func TestRetention(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"tumbling", window.Tumbling(time.Second).RetentionMS(), 1000},
		{"hopping with grace", window.Hopping(2*time.Second, time.Second).Grace(500 * ms).RetentionMS(), 2500},
		{"tumbling as set", window.Tumbling(time.Second).Retention(time.Minute).RetentionMS(), 60_000},
		{"sessions with grace", window.Session(time.Second).Grace(ms).RetentionMS(), 1001},
		{"sessions as set", window.Session(time.Second).Retention(time.Minute).RetentionMS(), 60_000},
		{"sliding with grace", window.Sliding(time.Second).Grace(ms).RetentionMS(), 2001},
		{"sliding as set", window.Sliding(time.Second).Retention(time.Minute).RetentionMS(), 60_000},
		{"custom as set", window.Custom(time.Second, weeks).Retention(time.Minute).RetentionMS(), 60_000},
		{"join", window.Within(time.Second).Before(0).Grace(ms).RetentionMS(), 1001},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d ms, want %d", c.name, c.got, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	const eon = 100 * 365 * 24 * time.Hour
	for _, c := range []struct {
		w interface {
			Check() error
			String() string
		}
		want []string // parts of the error; none: no error
	}{
		{window.Tumbling(ms), nil},
		{window.Hopping(10*ms, 3*ms).Grace(time.Hour).Retention(2 * time.Hour), nil},
		{window.Tumbling(0), []string{"size 0s isn't positive"}},
		{window.Tumbling(-time.Second), []string{"size -1s isn't positive"}},
		{window.Tumbling(1500 * time.Microsecond), []string{"size 1.5ms isn't a whole number"}},
		{window.Tumbling(eon), []string{"too long"}},
		{window.Hopping(time.Second, 0), []string{"advance 0s isn't positive"}},
		{window.Hopping(time.Second, 2*time.Second), []string{"advance 2s is larger than the size 1s"}},
		{window.Tumbling(0).Grace(-ms), []string{"size 0s", "grace -1ms is negative"}},
		{window.Tumbling(time.Minute).Grace(ms).Retention(time.Minute), []string{"retention 1m0s is shorter than size + grace, 1m0.001s"}},
		{window.Tumbling(ms).Retention(time.Microsecond), []string{"retention 1µs isn't a whole number"}},
		{window.Tumbling(ms).Retention(-ms), []string{"retention -1ms is negative"}},
		{window.Fixed{}, []string{"size 0s"}},
		{window.Session(ms), nil},
		{window.Session(0), nil},
		{window.Session(-ms), []string{"gap -1ms is negative"}},
		{window.Session(ms).Grace(-ms), []string{"grace -1ms is negative"}},
		{window.Session(time.Hour).Retention(time.Minute), []string{"retention 1m0s is shorter than gap + grace"}},
		{window.Session(eon), []string{"too long"}},
		{window.Sessions{}, []string{"zero sessions"}},
		{window.Sliding(0), nil},
		{window.Sliding(-ms), []string{"difference -1ms is negative"}},
		{window.Sliding(ms).Grace(-ms), []string{"grace -1ms is negative"}},
		{window.Sliding(time.Hour).Retention(time.Minute), []string{"retention 1m0s is shorter than twice the difference + grace, 2h0m0s"}},
		{window.Slides{}, []string{"zero sliding windows"}},
		{window.Unlimited(time.UnixMilli(0)), nil},
		{window.Unlimited(time.Time{}), []string{"before 1970"}},
		{window.Unlimited(time.UnixMilli(0)).Grace(ms), []string{"takes neither grace nor retention"}},
		{window.Custom(time.Hour, weeks).Grace(ms), nil},
		{window.Custom(0, weeks), []string{"longest window 0s isn't positive"}},
		{window.Custom(time.Hour, weeks).Retention(ms), []string{"retention 1ms is shorter than longest window + grace"}},
		{window.Within(0), nil},
		{window.Within(time.Second).Before(-ms), nil},
		{window.Within(time.Second).Before(-2 * time.Second), []string{"before -2s and after 1s leave no time"}},
		{window.Within(-time.Second), []string{"leave no time"}},
		{window.Within(time.Second).Grace(-ms), []string{"grace -1ms"}},
		{window.Within(time.Second).After(eon), []string{"after 876000h0m0s is too long"}},
		{window.Within(time.Second).Before(-eon), []string{"before -876000h0m0s is too long"}},
	} {
		err := c.w.Check()
		if len(c.want) == 0 && err != nil {
			t.Errorf("%v: %v", c.w, err)
		}
		for _, part := range c.want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v: %v doesn't say %q", c.w, err, part)
			}
		}
	}
}

func TestString(t *testing.T) {
	for want, got := range map[string]string{
		"Tumbling(1m0s)":                                window.Tumbling(time.Minute).String(),
		"Hopping(1m0s, 1s).Grace(5s)":                   window.Hopping(time.Minute, time.Second).Grace(5 * time.Second).String(),
		"Session(30s).Retention(1h0m0s)":                window.Session(30 * time.Second).Retention(time.Hour).String(),
		"Sliding(1s).Grace(5s)":                         window.Sliding(time.Second).Grace(5 * time.Second).String(),
		"Unlimited(1970-01-01T00:00:00Z)":               window.Unlimited(time.UnixMilli(0)).String(),
		"Custom(25h0m0s).Grace(1h0m0s)":                 window.Custom(25*time.Hour, weeks).Grace(time.Hour).String(),
		"Within(1s).Grace(2s)":                          window.Within(time.Second).Grace(2 * time.Second).String(),
		"Within(0s).After(1s)":                          window.Within(time.Second).Before(0).String(),
		"a@1970-01-01T00:00:00Z/1970-01-01T00:00:00.5Z": window.Key[string]{Key: "a", Span: window.Span{EndMS: 500}}.String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSpan(t *testing.T) {
	start := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := window.Between(start, start.Add(time.Minute))
	if s.Start() != start || s.End() != start.Add(time.Minute) || s.Size() != time.Minute {
		t.Errorf("got %v to %v", s.Start(), s.End())
	}
	u := s.Union(window.Between(start.Add(time.Hour), start.Add(2*time.Hour)))
	if u != window.Between(start, start.Add(2*time.Hour)) {
		t.Errorf("union = %v", u)
	}
	// As keys of a map, which needs them comparable.
	seen := map[window.Key[string]]int{{Key: "a", Span: s}: 1}
	if seen[window.Key[string]{Key: "a", Span: window.Between(s.Start(), s.End())}] != 1 {
		t.Error("equal keys aren't equal")
	}
}
