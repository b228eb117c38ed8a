package dsl

import (
	"fmt"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// Encoder writes typed records to one topic, in the partitions that the topic's
// declaration chooses.
type Encoder[K, V any] struct {
	task   *task.Task
	to     topic.Topic[K, V]
	choose func(K, V, int) int
	spread func(K, V, int) []int
	label  string
	out    task.Outgoing
}

// NewEncoder returns an encoder for the topic of a sink.
func NewEncoder[K, V any](t *task.Task, n *topology.Node, to topic.Topic[K, V]) *Encoder[K, V] {
	return &Encoder[K, V]{
		task: t, to: to, choose: to.Partitioner(), spread: to.Spreader(), label: n.Label(),
		out: task.Outgoing{Topic: n.Topic.Physical(t.App()), Partition: -1, Changelog: -1},
	}
}

// Send encodes and writes one record; what it has not is null.
func (e *Encoder[K, V]) Send(k K, hasKey bool, v V, hasValue bool, time int64, headers []record.Header) error {
	o := &e.out
	o.Key, o.Value, o.Time, o.Headers = nil, nil, time, headers
	arena := e.task.Arena()
	if hasKey {
		b, err := e.to.Key().Append(arena.Free(), k)
		if err != nil {
			return e.fail("key", err)
		}
		o.Key = arena.Take(b)
	}
	if hasValue {
		b, err := e.to.Value().Append(arena.Free(), v)
		if err != nil {
			return e.fail("value", err)
		}
		o.Value = arena.Take(b)
	}
	if e.choose != nil || e.spread != nil {
		return e.place(k, v)
	}
	return e.task.Send(o)
}

// place writes the record where a function of the user's wants it.
func (e *Encoder[K, V]) place(k K, v V) error {
	n, err := e.task.Partitions(e.out.Topic)
	if err != nil {
		return err
	}
	if e.choose != nil {
		return e.sendTo(e.choose(k, v, n), n)
	}
	partitions := e.spread(k, v, n)
	if len(partitions) == 0 {
		e.task.Drop(e.label, task.DropNoPartition)
	}
	for _, p := range partitions {
		if err := e.sendTo(p, n); err != nil {
			return err
		}
	}
	return nil
}

func (e *Encoder[K, V]) sendTo(p, n int) error {
	if p >= n {
		return &task.OpError{Operator: e.label, Kind: task.FailedProcess, Err: fmt.Errorf("partition %d: topic %s has %d", p, e.out.Topic, n)}
	}
	e.out.Partition = int32(max(p, -1))
	return e.task.Send(&e.out)
}

// Value encodes a value alone.
func (e *Encoder[K, V]) Value(v V) ([]byte, error) {
	arena := e.task.Arena()
	b, err := e.to.Value().Append(arena.Free(), v)
	if err != nil {
		return nil, e.fail("value", err)
	}
	return arena.Take(b), nil
}

func (e *Encoder[K, V]) fail(what string, err error) error {
	return &task.OpError{Operator: e.label, Kind: task.FailedEncode, Err: fmt.Errorf("encode %s: %w", what, err)}
}
