package task

import "sync/atomic"

// Flow is what the tasks of an instance share so that none writes far more into a
// repartition topic than those behind it can hold in order. It is safe for
// concurrent use.
type Flow struct {
	limit int64
	held  atomic.Int64             // bytes of records that wait for their turn
	waits map[string]*atomic.Int64 // by repartition topic: the time of the slowest peer
	over  atomic.Int64
}

// NewFlow returns the Flow of an instance that holds up to limit bytes of records,
// about, of the given repartition topics.
func NewFlow(limit int64, topics []string) *Flow {
	f := &Flow{limit: limit, waits: map[string]*atomic.Int64{}}
	for _, name := range topics {
		f.waits[name] = new(atomic.Int64)
		f.waits[name].Store(never)
	}
	return f
}

// full reports whether more is held than may be.
func (f *Flow) full() bool { return f.held.Load() > f.limit }

// OutOfOrder is how many records were taken out of order since too much was held.
func (f *Flow) OutOfOrder() int64 { return f.over.Load() }

// Held is how many bytes of records wait for their turn.
func (f *Flow) Held() int64 { return f.held.Load() }

// HeldBack reports whether the task should wait: those behind it hold much, and it
// is ahead of the slowest of those that write where it writes.
func (t *Task) HeldBack() bool {
	f, s := t.cfg.Flow, t.teller
	if f == nil || s == nil || s.live || f.held.Load() <= f.limit/8 {
		return false
	}
	for _, name := range s.names {
		if w := f.waits[name]; w != nil && s.told.Time > w.Load() {
			return true
		}
	}
	return false
}
