package dsl

import (
	"fmt"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// Sink writes a stream to a topic.
func Sink[K, V any](in *StreamDef[K, V], to topic.Topic[K, V], role topology.Role, op, at string) *topology.Node {
	b := in.B
	t := UseTopic(b, to, role, at)
	return b.Add(topology.Node{Op: op, Name: to.Name(), Kind: topology.Sink, At: at, Inputs: []*topology.Node{in.Node}, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			e := NewEncoder(tk, n, to)
			keyNull, valueNull := null.Test[K](), null.Test[V]()
			repartition := role == topology.Repartition
			label := n.Label()
			in.Out(tk).Subscribe(n, func(r Record[K, V]) error {
				hasKey := !r.KeyNull && (keyNull == nil || !keyNull(r.Key))
				if repartition && !hasKey {
					// No partition is the right one for it.
					tk.Drop(label, task.DropNullKey)
					return nil
				}
				hasValue := valueNull == nil || !valueNull(r.Value)
				return e.Send(r.Key, hasKey, r.Value, hasValue, r.Time, r.Meta.Headers)
			})
		})
}

// TableSink writes the changes of a table to a topic, deletions as tombstones.
func TableSink[K, V any](in *TableDef[K, V], to topic.Topic[K, V], at string) *topology.Node {
	b := in.B
	t := UseTopic(b, to, topology.External, at)
	return b.Add(topology.Node{Op: "To", Name: to.Name(), Kind: topology.Sink, At: at, Inputs: []*topology.Node{in.Node}, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			e := NewEncoder(tk, n, to)
			in.Out(tk).Subscribe(n, func(c Change[K, V]) error {
				return e.Send(c.Key, true, c.New, c.HasNew, c.Time, c.Meta.Headers)
			})
		})
}

// Encoder writes typed records to one topic.
type Encoder[K, V any] struct {
	task  *task.Task
	to    topic.Topic[K, V]
	label string
	out   task.Outgoing
}

// NewEncoder returns an encoder for the topic of a sink.
func NewEncoder[K, V any](t *task.Task, n *topology.Node, to topic.Topic[K, V]) *Encoder[K, V] {
	return &Encoder[K, V]{
		task: t, to: to, label: n.Label(),
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
	return e.task.Send(o)
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
