package dsl

import (
	"fmt"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// Sink writes a stream to a topic. Records without a key don't pass a repartition
// topic: no partition is the right one for them.
func Sink[K, V any](in *StreamDef[K, V], to topic.Topic[K, V], role topology.Role, op, at string) *topology.Node {
	return sink(in, to, role, role != topology.Repartition, op, at)
}

// SinkAll is Sink into a repartition topic for records without a key too, which
// go to any partition.
func SinkAll[K, V any](in *StreamDef[K, V], to topic.Topic[K, V], op, at string) *topology.Node {
	return sink(in, to, topology.Repartition, true, op, at)
}

func sink[K, V any](in *StreamDef[K, V], to topic.Topic[K, V], role topology.Role, keyless bool, op, at string) *topology.Node {
	b := in.B
	t := UseTopic(b, to, role, at)
	oneTopic(b, t, op, at)
	return b.Add(topology.Node{Op: op, Name: to.Name(), Kind: topology.Sink, At: at, Inputs: []*topology.Node{in.Node}, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			e := NewEncoder(tk, n, to)
			keyNull, valueNull := null.Test[K](), null.Test[V]()
			label := n.Label()
			in.Out(tk).Subscribe(n, func(r Record[K, V]) error {
				hasKey := !r.KeyNull && (keyNull == nil || !keyNull(r.Key))
				if !hasKey && !keyless {
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
	oneTopic(b, t, "To", at)
	return b.Add(topology.Node{Op: "To", Name: to.Name(), Kind: topology.Sink, At: at, Inputs: []*topology.Node{in.Node}, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			e := NewEncoder(tk, n, to)
			in.Out(tk).Subscribe(n, func(c Change[K, V]) error {
				return e.Send(c.Key, true, c.New, c.HasNew, c.Time, c.Meta.Headers)
			})
		})
}

// oneTopic reports a pattern where one topic is needed.
func oneTopic(b *Builder, t *topology.Topic, op, at string) {
	if t.Pattern != nil {
		b.Fail(at, "%s needs one topic, but %q is a pattern; declare the topic with topic.New, or choose one for each record with ToTopics", op, t.Name)
	}
}

// TopicsSink writes each record to the topic that name returns, one of those that
// a pattern stands for.
func TopicsSink[K, V any](in *StreamDef[K, V], family topic.Topic[K, V], name func(K, V) string, at string) *topology.Node {
	b := in.B
	t := UseTopic(b, family, topology.External, at)
	if t.Pattern == nil {
		b.Fail(at, "ToTopics needs a pattern that tells the topics it may write to, but %q is one topic; declare them with topic.Matching, or use To", t.Name)
	}
	return b.Add(topology.Node{Op: "ToTopics", Name: family.Name(), Kind: topology.Sink, At: at, Inputs: []*topology.Node{in.Node}, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			e := NewEncoder(tk, n, family)
			keyNull, valueNull := null.Test[K](), null.Test[V]()
			known := map[string]bool{} // names that were checked
			in.Out(tk).Subscribe(n, func(r Record[K, V]) error {
				to := name(r.Key, r.Value)
				if !known[to] {
					if err := topic.CheckName(to); err != nil {
						return fmt.Errorf("topic %q: %w", to, err)
					}
					if !t.Pattern.MatchString(to) {
						return fmt.Errorf("topic %q isn't one of %s", to, t.Name)
					}
					known[to] = true
				}
				e.out.Topic = to
				hasKey := !r.KeyNull && (keyNull == nil || !keyNull(r.Key))
				hasValue := valueNull == nil || !valueNull(r.Value)
				return e.Send(r.Key, hasKey, r.Value, hasValue, r.Time, r.Meta.Headers)
			})
		})
}
