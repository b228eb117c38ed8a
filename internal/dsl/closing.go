package dsl

import (
	"math"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Closing says when the windows of an aggregation are over.
type Closing[K any] struct {
	// ClosesAt is the first stream time at which a window that ends at end is
	// closed: no record can change it any more.
	ClosesAt func(end int64) int64
	// Span is the start and the end of a row's window, where the row's key tells.
	Span func(k K) (start, end int64)
}

// Closer tells of windows when they are closed. It knows which are open: each is
// noted in a buffer of its own when it is opened, and taken out when it has been
// told of. So what has been told is committed with the offsets, and no window is
// lost or told of twice because of a restart, or because the store's retention
// ends with the windows.
type Closer[K any] struct {
	task     *task.Task
	open     *cache.Buffer[K, int64] // by what Opened is given; the value is the end
	closesAt func(end int64) int64
	emit     func(cache.Buffered[K, int64]) error
	closed   *int64 // stream time up to which windows were told of
	due      int64  // nothing closes before that stream time
	late     bool   // as Kafka does: after the record, when the store has moved on
	interval int64
	look     int64 // wall clock of the next look, with an interval
}

// NewCloser opens what is known of open windows, or returns nil if the table
// doesn't emit on close. emit tells of one window.
func NewCloser[K any](t *task.Task, n *topology.Node, e *Emitting, key serde.Serde[K], closesAt func(end int64) int64, emit func(cache.Buffered[K, int64]) error) *Closer[K] {
	if e.when != onClose {
		return nil
	}
	c := &Closer[K]{task: t, closesAt: closesAt, emit: emit, closed: t.Time(e.open.Name), due: math.MinInt64, late: e.b.LikeKafka}
	if c.late {
		c.interval = e.b.CloseIntervalMS
	}
	c.open = cache.OpenBuffer(t, cache.BufferSpec[K, int64]{Store: e.open, Label: n.Label(), Key: key, Value: serde.Int64})
	return c
}

// Opened notes a window, again each time it changes. What is told at one moment
// is in order of time, then of sub, then of the encoded key.
func (c *Closer[K]) Opened(time, sub int64, k K, end int64) error {
	if c == nil {
		return nil
	}
	c.due = min(c.due, c.closesAt(end))
	return c.open.Put(time, sub, k, end, nil)
}

// Gone notes that a window is no more.
func (c *Closer[K]) Gone(time, sub int64, k K) error {
	if c == nil {
		return nil
	}
	return c.open.Remove(time, sub, k)
}

// Before is called with each record, when stream time has moved on and nothing
// else was done: what has closed is told of before the record moves the store's
// time, which might hide it.
func (c *Closer[K]) Before(streamTime int64) error {
	if c == nil || c.late {
		return nil
	}
	return c.advance(streamTime)
}

// After is called when the record was processed, which is when Kafka Streams looks
// for windows that are closed, and when stream time has moved on without a record.
func (c *Closer[K]) After(streamTime int64) error {
	if c == nil {
		return nil
	}
	if c.interval > 0 {
		now := c.task.Now().UnixMilli()
		if now < c.look {
			return nil
		}
		c.look = now + c.interval
	}
	return c.advance(streamTime)
}

// Told reports whether a window that ends at end was told of.
func (c *Closer[K]) Told(end int64) bool { return c.closesAt(end) <= *c.closed }

func (c *Closer[K]) advance(streamTime int64) error {
	if streamTime < c.due {
		return nil
	}
	*c.closed = max(*c.closed, streamTime)
	for {
		b, ok, err := c.open.First()
		if err != nil {
			return err
		}
		if !ok {
			c.due = math.MaxInt64
			return nil
		}
		// Windows end in the order in which they are noted.
		if at := c.closesAt(b.Value); at > streamTime {
			c.due = at
			return nil
		}
		if b, err = c.open.Pop(); err != nil {
			return err
		}
		if err := c.emit(b); err != nil {
			return err
		}
	}
}
