package stream

import (
	"errors"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

// joinBuffer holds the records of a stream until their grace period is over.
type joinBuffer[K, V any] struct {
	spec      *topology.Store
	as        state.Store[K, V]
	grace     int64
	likeKafka bool
}

// errWaitsWithoutKey stands for the error of Kafka Streams, which can't put such a
// record into its buffer.
var errWaitsWithoutKey = errors.New("a record without a key can't wait for its grace period")

// openJoinBuffer is nil where records don't wait.
func openJoinBuffer[K, V any](b *dsl.Builder, at, op string, o *tableJoinOptions) *joinBuffer[K, V] {
	if !o.graced {
		return nil
	}
	as, ok := o.buffer.(state.Store[K, V])
	if !ok {
		b.Fail(at, "the buffer %q of stream.JoinGrace must be a store of the stream's records; declare it as state.Store[%s]", o.buffer.Name(), dsl.TypeNames[K, V]())
		return nil
	}
	return &joinBuffer[K, V]{spec: state.Use(b, as, topology.Buffer, 0, at), as: as, grace: o.grace.Milliseconds(), likeKafka: b.LikeKafka}
}

// open is the way of a record through the buffer to join.
func (d *joinBuffer[K, V]) open(t *task.Task, n *topology.Node, join func(dsl.Record[K, V]) error) func(dsl.Record[K, V]) error {
	w := &waitingRecords[K, V]{
		task: t, grace: d.grace,
		buffer: cache.OpenBuffer(t, cache.BufferSpec[K, V]{Store: d.spec, Label: n.Label(), Key: d.as.Key(), Value: d.as.Value()}),
		latest: t.Time(d.spec.Name),
		ready:  dsl.Within[dsl.Record[K, V]](t),
	}
	w.ready.Subscribe(n, join)
	t.OnTime(func(ms int64) error {
		*w.latest = max(*w.latest, ms)
		return w.release()
	})
	return func(r dsl.Record[K, V]) error {
		if r.KeyNull && d.likeKafka {
			return errWaitsWithoutKey
		}
		*w.latest = max(*w.latest, r.Time)
		if r.KeyNull || r.Time < *w.latest-w.grace {
			return join(r)
		}
		if err := w.buffer.Add(r.Time, r.Key, r.Value, r.Meta.Headers); err != nil {
			return err
		}
		return w.release()
	}
}

// waitingRecords is the buffer in a task.
type waitingRecords[K, V any] struct {
	task   *task.Task
	grace  int64
	buffer *cache.Buffer[K, V]
	// latest is the highest time of the records that came here. It is committed,
	// so that none is late only because it is processed again.
	latest *int64
	// ready takes what is due, as if to a node of its own: a failure is that of
	// one record, and doesn't put the one that came just now into the buffer
	// again.
	ready *dsl.Port[dsl.Record[K, V]]
}

// release joins what has waited long enough.
func (w *waitingRecords[K, V]) release() error {
	meta := w.task.Meta()
	headers := meta.Headers
	defer func() { meta.Headers = headers }()
	for {
		at, ok, err := w.buffer.FirstTime()
		if err != nil || !ok || at > *w.latest-w.grace {
			return err
		}
		b, err := w.buffer.Pop()
		if err != nil {
			return err
		}
		meta.Headers = b.Headers
		if err := w.ready.Emit(dsl.Record[K, V]{Key: b.Key, Value: b.Value, Time: b.Time, Meta: meta}); err != nil {
			return err
		}
	}
}
