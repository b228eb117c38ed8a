package task

import (
	"math"
	"time"
)

const never = math.MaxInt64

// Punctuation is a function that is called as time goes on.
type Punctuation struct {
	every   int64 // 0: once, when due
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

// ScheduleFrom is Schedule with calls that are due at start and each interval after
// it. Those that have passed are left out.
func (t *Task) ScheduleFrom(start int64, every time.Duration, wall bool, f func(now int64) error) *Punctuation {
	p := &Punctuation{every: max(1, every.Milliseconds()), due: start, wall: wall, call: f}
	now := t.streamTime
	if wall {
		now = t.Now().UnixMilli()
	}
	if now > start {
		p.due += p.every * ((now - start + p.every - 1) / p.every)
	}
	t.puncts = append(t.puncts, p)
	t.rearm()
	return p
}

// Alarm is a call of f at a time that is set later, and again each time it is set.
// A call may come at once, after the record in process.
func (t *Task) Alarm(wall bool, f func(now int64) error) *Alarm {
	p := &Punctuation{due: never, wall: wall, call: f}
	t.puncts = append(t.puncts, p)
	return &Alarm{t, p}
}

// Alarm is set to the time at which a function is called.
type Alarm struct {
	task *Task
	p    *Punctuation
}

// Never is the time of an alarm that isn't set.
const Never = never

// Set replaces the time at which the function is called.
func (a *Alarm) Set(due int64) {
	a.p.due = due
	if !a.p.wall {
		a.task.nextStream = min(a.task.nextStream, due)
	}
}

// Due is the time at which the function is called.
func (a *Alarm) Due() int64 { return a.p.due }

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
			err = t.failed(panicError(r), 0)
		}
	}()
	t.meta.Topic, t.meta.Partition, t.meta.Offset, t.meta.Headers = "", -1, -1, nil
	for _, p := range t.puncts {
		if p.wall != wall || p.stopped || now < p.due {
			continue
		}
		if p.every == 0 {
			p.due = never // until it is set again
		} else {
			p.due += p.every * ((now-p.due)/p.every + 1)
		}
		if err := p.call(now); err != nil {
			return t.failed(err, 0)
		}
	}
	return nil
}
