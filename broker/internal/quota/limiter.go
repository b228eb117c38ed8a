package quota

import (
	"iter"
	"slices"
	"sync"
	"time"
)

// A rate is measured over this many samples of this length, as Kafka does: a
// client may take a burst as large as the whole window allows.
const (
	samples      = 11
	sampleLength = time.Second
)

// sweepAt is how many rates there are before those of clients that have gone
// are looked for. Clients choose their ids, so there may be any number.
const sweepAt = 1000

// Limiter measures. It is safe for concurrent use.
type Limiter struct {
	mu    sync.Mutex
	rates map[bucket]*rate
	sweep int // look for dead rates when there are so many
}

// NewLimiter returns a Limiter.
func NewLimiter() *Limiter { return &Limiter{rates: map[bucket]*rate{}, sweep: sweepAt} }

// Record notes that a client took amount under the quotas of t, and returns for
// how long it has to wait to be within its quota again. What is measured of
// [RequestPercentage] is nanoseconds.
func (l *Limiter) Record(t *Table, quota, user, client string, amount float64, now time.Time) time.Duration {
	limit, b, ok := t.find(quota, user, client)
	if !ok {
		return 0
	}
	if quota == RequestPercentage {
		limit *= float64(time.Second) / 100
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rate(b, now)
	r.add(amount, now)
	wait := r.wait(limit, now)
	if quota == RequestPercentage {
		wait = min(wait, sampleLength) // as Kafka does
	}
	return wait
}

// Admit is Record for what has not gone out yet. Without granted the client gets
// nothing now, so nothing is noted, and it comes back after the wait. What is too
// much for any window goes out when nothing else has, or it never would; the
// client waits after it.
func (l *Limiter) Admit(t *Table, quota, user, client string, amount float64, now time.Time) (wait time.Duration, granted bool) {
	limit, b, ok := t.find(quota, user, client)
	if !ok {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rate(b, now)
	if free := r.free(amount, limit, now); free.After(now) {
		return ceil(free.Sub(now)), false
	}
	r.add(amount, now)
	return r.wait(limit, now), true
}

// rate is that of a bucket, made if need be. The lock is held.
func (l *Limiter) rate(b bucket, now time.Time) *rate {
	r := l.rates[b]
	if r == nil {
		l.makeRoom(now)
		r = &rate{}
		l.rates[b] = r
	}
	return r
}

// Burst is how many bytes the client may take at once; false is any number.
func (l *Limiter) Burst(t *Table, quota, user, client string) (int, bool) {
	limit, _, ok := t.find(quota, user, client)
	if !ok {
		return 0, false
	}
	return int(min(limit*(samples-1)*sampleLength.Seconds(), 1<<40)), true
}

// makeRoom forgets the rates of those who have taken nothing for long. The
// lock is held.
func (l *Limiter) makeRoom(now time.Time) {
	if len(l.rates) < l.sweep {
		return
	}
	for b, r := range l.rates {
		if now.Sub(r.sums[r.last].start) > samples*sampleLength {
			delete(l.rates, b)
		}
	}
	l.sweep = max(sweepAt, 2*len(l.rates))
}

// rate is a sum over a moving window.
type rate struct {
	sums [samples]sample
	last int
}

type sample struct {
	start time.Time
	sum   float64
}

// add adds to the current sample, beginning a new one if that is full.
func (r *rate) add(amount float64, now time.Time) {
	s := &r.sums[r.last]
	if s.start.IsZero() || now.Sub(s.start) >= sampleLength {
		r.last = (r.last + 1) % samples
		s = &r.sums[r.last]
		*s = sample{start: now}
	}
	s.sum += amount
}

// recent are the samples of the window that ends now.
func (r *rate) recent(now time.Time) iter.Seq[sample] {
	return func(yield func(sample) bool) {
		for _, s := range r.sums {
			if !s.start.IsZero() && now.Sub(s.start) <= samples*sampleLength && !yield(s) {
				return
			}
		}
	}
}

// sum is what was taken in the window.
func (r *rate) sum(now time.Time) (sum float64) {
	for s := range r.recent(now) {
		sum += s.sum
	}
	return sum
}

// free is when amount can be had within limit a second: once the window has grown,
// or what was taken has left it. An empty window is always free.
func (r *rate) free(amount, limit float64, now time.Time) time.Time {
	at, sum := now, r.sum(now)+amount
	for _, s := range slices.SortedFunc(r.recent(now), func(a, b sample) int { return a.start.Compare(b.start) }) {
		need := time.Duration(min(sum/limit, maxWait.Seconds()) * float64(time.Second))
		switch grown := s.start.Add(need); {
		case need <= (samples-1)*sampleLength || !grown.After(at):
			return at
		case need <= samples*sampleLength:
			return grown
		}
		at = s.start.Add(samples*sampleLength + 1)
		sum -= s.sum
	}
	return at
}

// ceil rounds up to what responses can tell.
func ceil(d time.Duration) time.Duration {
	return (d + time.Millisecond - 1).Truncate(time.Millisecond)
}

// wait is the time after which what was taken, spread over the window and that
// time, is within limit a second.
func (r *rate) wait(limit float64, now time.Time) time.Duration {
	oldest := now
	for s := range r.recent(now) {
		if s.start.Before(oldest) {
			oldest = s.start
		}
	}
	// A window that has just begun is taken for almost full, so that its first
	// request doesn't look like a torrent.
	window := max(now.Sub(oldest), (samples-1)*sampleLength)
	over := r.sum(now)/limit - window.Seconds()
	if over <= 0 {
		return 0
	}
	return time.Duration(min(over, maxWait.Seconds()) * float64(time.Second)).Round(time.Millisecond)
}

// maxWait bounds a wait, which a client may take for a broker that is gone.
const maxWait = 30 * time.Second
