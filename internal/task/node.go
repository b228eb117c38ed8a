package task

import (
	"context"
	"log/slog"
	"time"

	"github.com/leatstream/leat/internal/record"
)

// The methods of this file are for the nodes, while they are made and while
// they run.

// SetPort keeps the typed output of a node for the nodes after it.
func (t *Task) SetPort(node int, port any) { t.ports[node] = port }

// Port is what SetPort kept.
func (t *Task) Port(node int) any { return t.ports[node] }

// OnSource adds a function that decodes and forwards the records of a topic.
func (t *Task) OnSource(topic string, handle func(*record.Record) error) {
	before := t.sources[topic]
	if before == nil {
		t.sources[topic] = handle
		return
	}
	t.sources[topic] = func(r *record.Record) error {
		if err := before(r); err != nil {
			return err
		}
		return handle(r)
	}
}

// Keep keeps the typed store of that name for Opened.
func (t *Task) Keep(store string, open any) { t.opened[store] = open }

// Opened is what Keep kept, nil if nothing.
func (t *Task) Opened(store string) any { return t.opened[store] }

// OnClose adds a function that Close calls.
func (t *Task) OnClose(f func() error) { t.closers = append(t.closers, f) }

// App is the application id.
func (t *Task) App() string { return t.cfg.App }

// Logger is never nil.
func (t *Task) Logger() *slog.Logger { return t.cfg.Logger }

// Meta is where the record in process came from. The pointer is the same for
// the life of the task.
func (t *Task) Meta() *record.Meta { return &t.meta }

// StreamTime is the highest timestamp taken so far, in milliseconds since the
// epoch; -1 at first.
func (t *Task) StreamTime() int64 { return t.streamTime }

// Context is done when the task is told to end.
func (t *Task) Context() context.Context {
	if t.cfg.Context == nil {
		return context.Background()
	}
	return t.cfg.Context
}

// Now is the wall-clock time.
func (t *Task) Now() time.Time { return t.cfg.Clock.Now() }

// Global is the state of a global table by its index in the plan.
func (t *Task) Global(i int) Global { return t.cfg.Globals[i] }

// Arena is where nodes put the bytes of outgoing records.
func (t *Task) Arena() *Arena { return &t.arena }

// Send writes a record.
func (t *Task) Send(o *Outgoing) error {
	if t.teller != nil && !t.teller.live {
		t.stampOutgoing(o)
	}
	return t.cfg.Out.Send(o)
}

// CacheBytes is the budget of one store's cache.
func (t *Task) CacheBytes() int64 {
	return t.cfg.CacheBytes / int64(max(1, len(t.cfg.Sub.Stores)))
}

// Partition is the task's partition.
func (t *Task) Partition() int32 { return t.cfg.ID.Partition }

// Poison makes the next Flush fail with err, for a failure that a node could not
// return.
func (t *Task) Poison(err error) {
	if t.poison == nil {
		t.poison = err
	}
}

// Reject makes New fail with err, for a node that can't be made.
func (t *Task) Reject(err error) {
	if t.rejected == nil {
		t.rejected = err
	}
}

// Partitions is the number of partitions of a topic that the task writes to. It
// may wait for a broker when it is asked for the first time.
func (t *Task) Partitions(topic string) (int, error) {
	if n := t.cfg.Counts[topic]; n > 0 {
		return n, nil
	}
	if t.cfg.Partitions == nil {
		return 1, nil
	}
	n, err := t.cfg.Partitions(topic)
	if err != nil {
		return 0, &OpError{Operator: "topic " + topic, Kind: FailedStore, Err: err}
	}
	return n, nil
}
