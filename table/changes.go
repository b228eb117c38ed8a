package table

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// headerOld holds the old value in a record of changes. The record's value is
// the new one, or null if there is none.
const headerOld = "leat.old"

// writeChanges sends the changes of a table to a repartition topic, by the keys
// that f gives them.
func writeChanges[K, V, KR, VR any](in *dsl.TableDef[K, V], f func(K, V) (KR, VR), via topic.Topic[KR, VR], at string) {
	b := in.B
	t := dsl.UseTopic(b, via, topology.Repartition, at)
	b.Add(topology.Node{Op: "GroupBy", Name: via.Name(), Kind: topology.Sink, At: at, Inputs: []*topology.Node{in.Node}, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			w := &changeWriter[KR, VR]{task: tk, label: n.Label(), via: via, keyNull: null.Test[KR](), valueNull: null.Test[VR](),
				out: task.Outgoing{Topic: t.Physical(tk.App()), Partition: -1, Changelog: -1}}
			in.Out(tk).Subscribe(n, func(c dsl.Change[K, V]) error {
				if c.Stale {
					tk.Drop(w.label, task.DropStale)
					return nil
				}
				var key, old, oldKey, value []byte
				var err error
				if c.HasOld {
					kr, vr := f(c.Key, c.Old)
					if oldKey, old, err = w.encode(kr, vr); err != nil {
						return err
					}
				}
				if c.HasNew {
					kr, vr := f(c.Key, c.New)
					if key, value, err = w.encode(kr, vr); err != nil {
						return err
					}
				}
				w.headers = userHeaders(c.Meta.Headers)
				return w.send(key, value, oldKey, old, c.Time)
			})
		})
}

// changeWriter writes records of changes.
type changeWriter[K, V any] struct {
	task      *task.Task
	label     string
	via       topic.Topic[K, V]
	keyNull   func(K) bool
	valueNull func(V) bool
	headers   []record.Header // of the record that caused the change
	out       task.Outgoing
}

// userHeaders is headers without the one that means something here. They are
// copied only if it is among them.
func userHeaders(all []record.Header) []record.Header {
	ours := func(h record.Header) bool { return h.Key == headerOld }
	if !slices.ContainsFunc(all, ours) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), ours)
}

// encode returns nil for what is null; a change without a key is dropped.
func (w *changeWriter[K, V]) encode(k K, v V) (key, value []byte, err error) {
	if w.keyNull != nil && w.keyNull(k) {
		w.task.Drop(w.label, task.DropNullKey)
		return nil, nil, nil
	}
	if w.valueNull != nil && w.valueNull(v) {
		return nil, nil, nil
	}
	arena := w.task.Arena()
	b, err := w.via.Key().Append(arena.Free(), k)
	if err != nil {
		return nil, nil, &task.OpError{Operator: w.label, Kind: task.FailedEncode, Err: fmt.Errorf("encode key: %w", err)}
	}
	key = arena.Take(b)
	if b, err = w.via.Value().Append(arena.Free(), v); err != nil {
		return nil, nil, &task.OpError{Operator: w.label, Kind: task.FailedEncode, Err: fmt.Errorf("encode value: %w", err)}
	}
	return key, arena.Take(b), nil
}

// send writes one record where the row stays in its group, else one for the
// group it leaves and then one for the group it joins. One record keeps others
// from seeing the group between the two.
func (w *changeWriter[K, V]) send(key, value, oldKey, old []byte, time int64) error {
	w.out.Time = time
	if key != nil && oldKey != nil && bytes.Equal(key, oldKey) {
		return w.write(key, value, old)
	}
	if oldKey != nil {
		if err := w.write(oldKey, nil, old); err != nil {
			return err
		}
	}
	if key != nil {
		return w.write(key, value, nil)
	}
	return nil
}

func (w *changeWriter[K, V]) write(key, value, old []byte) error {
	w.out.Key, w.out.Value, w.out.Headers = key, value, w.headers
	if old != nil {
		w.out.Headers = append(slices.Clip(w.headers), record.Header{Key: headerOld, Value: old})
	}
	return w.task.Send(&w.out)
}

// readChanges is the source of what writeChanges wrote.
func readChanges[K, V any](b *dsl.Builder, via topic.Topic[K, V], at string) *topology.Node {
	t := dsl.UseTopic(b, via, topology.Repartition, at)
	return b.Add(topology.Node{Op: "Grouped", Name: via.Name(), Kind: topology.Source, At: at, Topic: t},
		func(tk *task.Task, n *topology.Node) {
			port := dsl.NewPort[dsl.Change[K, V]](tk, n)
			label := n.Label()
			tk.OnSource(t.Physical(tk.App()), func(r *record.Record) error {
				c, err := decodeChange(via, r)
				if err != nil {
					return &task.OpError{Operator: label, Kind: task.FailedDecode, Err: err}
				}
				c.Meta = tk.Meta()
				c.Meta.Headers = userHeaders(r.Headers)
				return port.Emit(c)
			})
		})
}

func decodeChange[K, V any](via topic.Topic[K, V], r *record.Record) (c dsl.Change[K, V], err error) {
	c.Time = r.Time
	if r.Key == nil {
		return c, fmt.Errorf("a change without a key")
	}
	if c.Key, err = via.Key().Decode(r.Key); err != nil {
		return c, fmt.Errorf("decode key: %w", err)
	}
	if r.Value != nil {
		c.HasNew = true
		if c.New, err = via.Value().Decode(r.Value); err != nil {
			return c, fmt.Errorf("decode value: %w", err)
		}
	}
	for _, h := range r.Headers {
		if h.Key == headerOld && h.Value != nil {
			c.HasOld = true
			if c.Old, err = via.Value().Decode(h.Value); err != nil {
				return c, fmt.Errorf("decode old value: %w", err)
			}
		}
	}
	return c, nil
}
