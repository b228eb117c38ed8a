package task

import (
	"math"
	"time"

	"github.com/leatstream/leat/internal/minheap"
)

const never = math.MaxInt64

// Punctuation is a function that is called as time goes on.
type Punctuation struct {
	every   int64 // 0 of an alarm
	due     int64
	wall    bool // of an alarm
	call    func(now int64) error
	stopped bool
	called  uint64 // the round in which an alarm was called last
}

// Before reports whether p is due before q.
func (p *Punctuation) Before(q *Punctuation) bool { return p.due < q.due }

// punctuations are those of a kind of time. Those that are due are called in the
// order of their times: one that was due first may not see what another does later.
type punctuations struct {
	regular minheap.Heap[*Punctuation]
	alarms  []*Punctuation // their times change
	round   uint64         // counts the calls of fire
}

// first is what is due first; with alarm if that is one. It is nil if there is
// nothing.
func (s *punctuations) first() (p *Punctuation, alarm bool) {
	if len(s.regular) > 0 {
		p = s.regular[0]
	}
	for _, a := range s.alarms {
		if a.due != never && a.called != s.round && (p == nil || a.Before(p)) {
			p, alarm = a, true
		}
	}
	return p, alarm
}

func (t *Task) punctuations(wall bool) *punctuations {
	if wall {
		return &t.byWall
	}
	return &t.byStream
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
	t.punctuations(wall).regular.Push(p)
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
	t.punctuations(wall).regular.Push(p)
	t.rearm()
	return p
}

// Alarm is a call of f at a time that is set later, and again each time it is set.
// A call may come at once, after the record in process.
func (t *Task) Alarm(wall bool, f func(now int64) error) *Alarm {
	p := &Punctuation{due: never, wall: wall, call: f}
	s := t.punctuations(wall)
	s.alarms = append(s.alarms, p)
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
	if p, _ := t.byStream.first(); p != nil {
		t.nextStream = p.due
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
	p, _ := t.byWall.first()
	if p == nil {
		return time.Time{}, false
	}
	return time.UnixMilli(p.due), true
}

func (t *Task) fire(wall bool, now int64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r), 0)
		}
	}()
	t.meta.Topic, t.meta.Partition, t.meta.Offset, t.meta.Headers = "", -1, -1, nil
	s := t.punctuations(wall)
	s.round++
	defer func() { s.round++ }() // what is called here may be set anew, for later
	for {
		p, alarm := s.first()
		if p == nil || now < p.due {
			return nil
		}
		if alarm {
			p.due, p.called = never, s.round // until it is set again
		} else {
			s.regular.Pop()
		}
		if p.stopped {
			continue
		}
		err := p.call(now)
		if !alarm && !p.stopped {
			p.due += p.every * ((now-p.due)/p.every + 1)
			s.regular.Push(p)
		}
		if err != nil {
			return t.failed(err, 0)
		}
	}
}
