package dsl

import (
	"fmt"

	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

// GlobalSpec is a global store that a function of the user's maintains.
type GlobalSpec[K, V, KS, VS any] struct {
	From  topic.Topic[K, V]
	Name  string
	Key   serde.Serde[KS]
	Value serde.Serde[VS]
	At    string
	// Maintain is called once for each instance and returns what each record of
	// the topic is given to.
	Maintain func(*GlobalWriter[KS, VS]) func(Record[K, V]) error
}

// GlobalStore reads every partition of a topic on every instance into a store, by a
// function.
func GlobalStore[K, V, KS, VS any](b *Builder, spec GlobalSpec[K, V, KS, VS]) *GlobalDef[KS, VS] {
	t := UseTopic(b, spec.From, topology.External, spec.At)
	st := b.Store(topology.Store{Name: spec.Name, Kind: topology.GlobalKV, Logging: topology.Unlogged, At: spec.At}, TypeNames[KS, VS]())
	node := b.Add(topology.Node{Op: "GlobalStore", Name: spec.Name, Kind: topology.Global, At: spec.At, Topic: t, Stores: []*topology.Store{st}}, nil)
	return addGlobal[KS, VS](b, node, func() task.Global {
		w := &GlobalWriter[KS, VS]{GlobalReader: GlobalReader[KS, VS]{rows: newGlobalRows(spec.Key, spec.Value)}, isNull: null.Test[VS]()}
		g := &globalStore[K, V, KS, VS]{writer: w, from: spec.From, hasNull: null.Test[V]() != nil}
		g.process = spec.Maintain(w)
		return g
	})
}

// GlobalWriter reads and writes a global store. It is used by the function that
// maintains the store only.
type GlobalWriter[K, V any] struct {
	GlobalReader[K, V]
	now    int64
	isNull func(V) bool
}

// Put sets a row, or deletes it if the value is null.
func (w *GlobalWriter[K, V]) Put(k K, v V) error {
	if w.isNull != nil && w.isNull(v) {
		return w.Delete(k)
	}
	key, err := w.rows.key.Append(nil, k)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	w.rows.put(key, v, w.now)
	return nil
}

// Delete removes a row, if it is there.
func (w *GlobalWriter[K, V]) Delete(k K) error {
	key, err := w.rows.key.Append(nil, k)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	w.rows.set(key, nil)
	return nil
}

// globalStore feeds a global store.
type globalStore[K, V, KS, VS any] struct {
	writer  *GlobalWriter[KS, VS]
	from    topic.Topic[K, V]
	hasNull bool // V has a null
	process func(Record[K, V]) error
	meta    record.Meta
}

func (g *globalStore[K, V, KS, VS]) held() *globalRows[KS, VS] { return g.writer.rows }

// Len implements task.Global.
func (g *globalStore[K, V, KS, VS]) Len() int { return g.writer.Len() }

// Apply implements task.Global.
func (g *globalStore[K, V, KS, VS]) Apply(tp record.TopicPartition, recs []record.Record) error {
	return applyAll(tp, recs, "GlobalStore", task.FailedProcess, func(r *record.Record) error { return g.apply(tp, r) })
}

func (g *globalStore[K, V, KS, VS]) apply(tp record.TopicPartition, raw *record.Record) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = task.Panicked(caught)
		}
	}()
	g.meta = record.Meta{Topic: tp.Topic, Partition: tp.Partition, Offset: raw.Offset, Headers: raw.Headers}
	r := Record[K, V]{Time: raw.Time, KeyNull: raw.Key == nil, Meta: &g.meta}
	if raw.Key != nil {
		if r.Key, err = g.from.Key().Decode(raw.Key); err != nil {
			return decodeError("", "key", err)
		}
	}
	if raw.Value == nil && !g.hasNull {
		return nil // a V without nil can't say that there is no value
	}
	if raw.Value != nil {
		if r.Value, err = g.from.Value().Decode(raw.Value); err != nil {
			return decodeError("", "value", err)
		}
	}
	g.writer.now = raw.Time
	return g.process(r)
}
