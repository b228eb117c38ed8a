package task

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/leatstream/leat/internal/record"
)

// # Calls under way
//
// A node may put a record off: start a call that takes long, and go on with it
// when the call has returned. Meanwhile the task takes other records. What is put
// off is not processed, and that has three sides:
//
//   - What is committed must not pass it. A task with stores commits only when
//     nothing is put off, since its stores can't be taken back to an earlier
//     record. One without stores commits up to the first record that is put off.
//   - Its result, and its failure, are those of the record that it came from: that
//     one is the task's current record again when the call has returned.
//   - There must not be too many. A node that has its fill keeps the task from
//     taking records.
//
// Only the end of a call is told by another goroutine; all else is the worker's.

// Pending is a record that a node has put off. It begins with PutOff.
type Pending struct {
	// Settle goes on with the record, on the task's goroutine, after Complete.
	// It calls Resume and Finish, now or when its turn has come. An error ends
	// the task.
	Settle func() error

	rec        record.Record // the input's; its slice may be gone by then
	had        bool          // there was one: it isn't of a punctuation or a flush
	meta       record.Meta
	at         int64 // stream time when it was put off
	prev, next *Pending
}

// pendings are those of a task.
type pendings struct {
	first, last *Pending // in the order of PutOff
	n           int
	crowded     int // nodes that can't take more
	held        bool
	resumed     *Pending // in process

	ready  atomic.Int32 // how many are in done
	mu     sync.Mutex
	done   []*Pending
	taken  []*Pending // for reuse
	signal chan struct{}
}

// PutOff keeps the record in process, which the node goes on with later.
func (t *Task) PutOff(p *Pending) {
	s := t.pending
	if s == nil {
		s = &pendings{signal: make(chan struct{}, 1)}
		t.pending = s
	}
	p.meta, p.at = t.meta, t.writeTime()
	if p.had = t.current != nil; p.had {
		p.rec = *t.current
	}
	p.prev, p.next = s.last, nil
	if s.last != nil {
		s.last.next = p
	} else {
		s.first = p
	}
	s.last = p
	s.n++
}

// Complete says that p can be settled. Any goroutine may call it, once for each
// PutOff, and again after each Settle that didn't finish it.
func (t *Task) Complete(p *Pending) {
	s := t.pending
	s.mu.Lock()
	s.done = append(s.done, p)
	s.ready.Add(1)
	s.mu.Unlock()
	select {
	case s.signal <- struct{}{}:
	default:
	}
	if t.cfg.Wake != nil {
		t.cfg.Wake()
	}
}

// Resume makes p's record the one in process, until Finish or Suspend.
func (t *Task) Resume(p *Pending) {
	t.meta = p.meta
	t.pending.resumed = p
	t.told = t.told[:0]
	t.current = nil
	if p.had {
		t.current = &p.rec
	}
}

// Finish ends what PutOff began: the record is processed.
func (t *Task) Finish(p *Pending) {
	s := t.pending
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		s.first = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		s.last = p.prev
	}
	p.prev, p.next = nil, nil
	s.n--
	s.resumed = nil
	t.current = nil
}

// Crowd says that a node has its fill (1), or no longer (-1).
func (t *Task) Crowd(by int) { t.pending.crowded += by }

// InOrder reports whether results must come in the order of the records, so that
// they are the same each time.
func (t *Task) InOrder() bool { return t.cfg.Settled }

// Unsettled is the number of records that are put off.
func (t *Task) Unsettled() int {
	if t.pending == nil {
		return 0
	}
	return t.pending.n
}

// Hold keeps the task from taking records until Release, so that what is put off
// comes to an end and it can commit. It reports whether it is ready for that.
func (t *Task) Hold() (ready bool) {
	if t.pending == nil || !t.mustSettle() || t.settle() != nil || t.pending.n == 0 {
		return true // an error comes up again with the commit
	}
	t.pending.held = true
	return false
}

// Release undoes Hold.
func (t *Task) Release() {
	if t.pending != nil {
		t.pending.held = false
	}
}

// mustSettle reports whether nothing may be put off when the task commits.
func (t *Task) mustSettle() bool { return len(t.stores) > 0 || t.cfg.Settled }

// closed reports whether the task may not take a record now.
func (s *pendings) closed() bool { return s.crowded > 0 || s.held }

// settle goes on with the records whose calls have returned.
func (t *Task) settle() (err error) {
	s := t.pending
	if s.ready.Load() == 0 {
		return nil
	}
	before := t.current
	meta := t.meta
	defer func() {
		if r := recover(); r != nil {
			err = t.failed(panicError(r), 0)
		}
		t.current, t.meta = before, meta
	}()
	s.mu.Lock()
	s.done, s.taken = s.taken[:0], s.done
	s.ready.Store(0)
	s.mu.Unlock()
	for i, p := range s.taken {
		s.taken[i] = nil
		if err := p.Settle(); err != nil {
			return t.end(err)
		}
	}
	return t.ended
}

// Settle waits until nothing is put off. It fails when ctx is done.
func (t *Task) Settle(ctx context.Context) error {
	if t.pending == nil {
		return nil
	}
	for {
		if err := t.settle(); err != nil {
			return err
		}
		if t.pending.n == 0 {
			return nil
		}
		if t.pending.ready.Load() > 0 {
			continue
		}
		select {
		case <-t.pending.signal:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// writeTime is the stream time at which a record that is written now belongs.
func (t *Task) writeTime() int64 {
	if t.pending != nil && t.pending.resumed != nil {
		return t.pending.resumed.at
	}
	return t.streamTime
}

// earliest is the lowest stream time of what is put off.
func (s *pendings) earliest() int64 {
	at := s.first.at
	for p := s.first.next; p != nil; p = p.next {
		at = min(at, p.at)
	}
	return at
}

// lowWater is the offset to commit of an input: that of the first record that is
// put off, if there is one.
func (t *Task) lowWater(in *input) (next int64, epoch int32) {
	next, epoch = in.next, in.epoch
	if t.pending == nil {
		return next, epoch
	}
	for p := t.pending.first; p != nil; p = p.next {
		if p.had && p.meta.Topic == in.tp.Topic && p.rec.Offset < next {
			next, epoch = p.rec.Offset, p.rec.LeaderEpoch
		}
	}
	return next, epoch
}
