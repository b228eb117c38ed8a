package task

import (
	"math"
	"time"
)

const never = math.MaxInt64

// Punctuation is a function that is called as time goes on.
type Punctuation struct {
	every   int64
	due     int64
	wall    bool
	call    func(now int64) error
	stopped bool
}

// Stop ends the punctuation.
func (p *Punctuation) Stop() { p.stopped = true }

// Schedule calls f whenever another interval of stream time (or of wall-clock
// time) has passed. A jump over several intervals is one call. By stream time
// the first call comes with the first record, by wall clock after the first
// interval, as in Kafka Streams.
func (t *Task) Schedule(every time.Duration, wall bool, f func(now int64) error) *Punctuation {
	p := &Punctuation{every: max(1, every.Milliseconds()), wall: wall, call: f}
	if wall {
		p.due = t.Now().UnixMilli() + p.every
	}
	t.puncts = append(t.puncts, p)
	t.rearm()
	return p
}

// rearm finds when the next stream-time punctuation is due.
func (t *Task) rearm() {
	t.nextStream = never
	for _, p := range t.puncts {
		if !p.wall && !p.stopped {
			t.nextStream = min(t.nextStream, p.due)
		}
	}
}

func (t *Task) punctuateStream() error {
	err := t.fire(false, t.streamTime)
	t.rearm()
	return err
}

// Punctuate fires what is due by the wall clock. The worker calls it between
// records.
func (t *Task) Punctuate() error { return t.fire(true, t.Now().UnixMilli()) }

// NextPunctuation is when Punctuate has something to do, false if never.
func (t *Task) NextPunctuation() (time.Time, bool) {
	due := int64(never)
	for _, p := range t.puncts {
		if p.wall && !p.stopped {
			due = min(due, p.due)
		}
	}
	return time.UnixMilli(due), due != never
}

func (t *Task) fire(wall bool, now int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r))
		}
	}()
	t.meta.Topic, t.meta.Partition, t.meta.Offset, t.meta.Headers = "", -1, -1, nil
	for _, p := range t.puncts {
		if p.wall != wall || p.stopped || now < p.due {
			continue
		}
		p.due += p.every * ((now-p.due)/p.every + 1)
		if err := p.call(now); err != nil {
			return t.failed(err)
		}
	}
	return nil
}
