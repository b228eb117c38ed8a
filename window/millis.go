package window

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// maxMS is the longest time a parameter may be, far above any use: the sum of
// three of them is still a time.Duration, and so is printed right.
const maxMS = int64(math.MaxInt64/time.Millisecond) / 4

// millis is a parameter in milliseconds, and what was cut off to get there,
// which Check complains of.
type millis struct {
	ms   int64
	rest time.Duration
}

func toMillis(d time.Duration) millis {
	return millis{ms: d.Milliseconds(), rest: d % time.Millisecond}
}

func (m millis) String() string { return (time.Duration(m.ms)*time.Millisecond + m.rest).String() }

// or is m, or def where m was not set.
func (m millis) or(def int64) int64 {
	if m.ms == 0 {
		return def
	}
	return m.ms
}

func (m millis) check(name string, least int64) error {
	switch {
	case m.rest != 0:
		return fmt.Errorf("%s %v isn't a whole number of milliseconds, the unit of Kafka's timestamps", name, m)
	case m.ms > maxMS || m.ms < -maxMS:
		return fmt.Errorf("%s %v is too long: at most %v", name, m, millis{ms: maxMS})
	case m.ms < least && least == 1:
		return fmt.Errorf("%s %v isn't positive", name, m)
	case m.ms < least:
		return fmt.Errorf("%s %v is negative", name, m)
	}
	return nil
}

func checkRetention(m millis, least int64, what string) error {
	if m == (millis{}) { // not set
		return nil
	}
	return errors.Join(
		m.check("retention", 0),
		checkThat(m.ms >= least, "retention %v is shorter than %s, %v", m, what, millis{ms: least}),
	)
}

func checkThat(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// suffix is a call of the named method, as in Go, or nothing for a zero.
func suffix(method string, m millis) string {
	if m == (millis{}) {
		return ""
	}
	return fmt.Sprintf(".%s(%v)", method, m)
}

// addMS is a+b, or the end of an int64's range it would overflow.
func addMS(a, b int64) int64 {
	switch sum := a + b; {
	case b > 0 && sum < a:
		return math.MaxInt64
	case b < 0 && sum > a:
		return math.MinInt64
	default:
		return sum
	}
}

// subMS is a-b for a b of sane size, or the end of an int64's range.
func subMS(a, b int64) int64 { return addMS(a, -b) }
