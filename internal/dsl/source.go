package dsl

import (
	"fmt"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// Source reads a topic as a stream. A topic that is read already gives the same
// stream again.
func Source[K, V any](b *Builder, from topic.Topic[K, V], role topology.Role, op, at string) *StreamDef[K, V] {
	t := UseTopic(b, from, role, at)
	if d, ok := b.sources[t].(*StreamDef[K, V]); ok {
		return d
	}
	node := b.Add(topology.Node{Op: op, Name: from.Name(), Kind: topology.Source, At: at, Topic: t, Idle: from.Idle()},
		func(tk *task.Task, n *topology.Node) {
			port := NewPort[Record[K, V]](tk, n)
			stampSource(tk, n, from)
			tk.OnSource(n.Topic.Physical(tk.App()), decodeStream(tk, n, from, port))
		})
	d := &StreamDef[K, V]{B: b, Node: node}
	b.sources[t] = d
	return d
}

func decodeStream[K, V any](t *task.Task, n *topology.Node, from topic.Topic[K, V], port *Port[Record[K, V]]) func(*record.Record) error {
	key, value, hasNull, label := from.Key(), from.Value(), null.Test[V]() != nil, n.Label()
	return func(raw *record.Record) (err error) {
		r := Record[K, V]{Time: raw.Time, KeyNull: raw.Key == nil, Meta: t.Meta()}
		if raw.Key != nil {
			if r.Key, err = key.Decode(raw.Key); err != nil {
				return decodeError(label, "key", err)
			}
		}
		switch {
		case raw.Value != nil:
			if r.Value, err = value.Decode(raw.Value); err != nil {
				return decodeError(label, "value", err)
			}
		case !hasNull:
			// A V without nil can't say that there is no value.
			t.Drop(label, task.DropNullValue)
			return nil
		}
		return port.Emit(r)
	}
}

func decodeError(label, what string, err error) error {
	return &task.OpError{Operator: label, Kind: task.FailedDecode, Err: fmt.Errorf("decode %s: %w", what, err)}
}

// TableSpec is where a table's rows are kept.
type TableSpec[K, V any] struct {
	Node  topology.Node
	Store cache.Spec[K, V]
	// Emission is when the table tells of changes; on update, if it is left to
	// the operator.
	Emission Emission
	// History is for how long old versions of a row are kept, in milliseconds;
	// 0 for a table of the latest only.
	History int64
}

// SourceTable reads a topic as a table. The topic is the table's changelog too,
// unless the table is versioned: compaction leaves no history in a topic. Nor is it
// if rows go by themselves: it isn't leat's to write that to.
func SourceTable[K, V any](b *Builder, from topic.Topic[K, V], spec TableSpec[K, V]) *TableDef[K, V] {
	spec.Node.Kind = topology.Source
	spec.Node.Idle = from.Idle()
	spec.Node.Topic = UseTopic(b, from, topology.External, spec.Node.At)
	if st := spec.Store.Store; spec.History == 0 && st.TTL == 0 && st.Capacity == 0 {
		spec.Store.Store.Logging = topology.FromInput
		spec.Store.Store.Input = spec.Node.Topic
		// What restores the store are the topic's own bytes.
		spec.Store.Key, spec.Store.Value = from.Key(), from.Value()
	}
	return Upserts(b, spec, func(t *task.Task, n *topology.Node, put Upsert[K, V]) {
		key, value, label := from.Key(), from.Value(), n.Label()
		stampSource(t, n, from)
		t.OnSource(n.Topic.Physical(t.App()), func(raw *record.Record) error {
			if raw.Key == nil {
				t.Drop(label, task.DropNullKey)
				return nil
			}
			k, err := key.Decode(raw.Key)
			if err != nil {
				return decodeError(label, "key", err)
			}
			var v V
			if raw.Value != nil {
				if v, err = value.Decode(raw.Value); err != nil {
					return decodeError(label, "value", err)
				}
			}
			return put(k, v, raw.Value != nil, raw.Time)
		})
	})
}

// Upsert sets a row, or deletes it where has is false.
type Upsert[K, V any] func(k K, v V, has bool, time int64) error

// Upserts is a table whose rows are set from outside by the function that feed
// is given.
func Upserts[K, V any](b *Builder, spec TableSpec[K, V], feed func(*task.Task, *topology.Node, Upsert[K, V])) *TableDef[K, V] {
	if spec.History > 0 {
		return upsertVersions(b, spec, feed)
	}
	spec.Node.Stores = append(spec.Node.Stores, spec.Store.Store)
	var wantOld bool
	var emit *Emitting
	d := &TableDef[K, V]{B: b, WantOld: func() { wantOld = true }, Lookup: lookupIn[K, V](b, spec.Store.Store.Name), Value: spec.Store.Value}
	d.Node = b.Add(spec.Node, func(t *task.Task, n *topology.Node) {
		feed(t, n, openUpserts(t, n, spec.Store, ofDemand(b, spec.Store.Store, emit), wantOld))
	})
	emit = b.Emitting(d.Node, spec.Store.Store.Name, spec.Emission.Or(OnUpdate), spec.Node.At)
	d.SetEmission = emit.Set
	onDemand(d, spec.Store.Store)
	return d
}

// openUpserts opens the table's store and its way out in a task.
func openUpserts[K, V any](t *task.Task, n *topology.Node, s cache.Spec[K, V], emit *Emitting, wantOld bool) Upsert[K, V] {
	out := NewTeller(t, n, emit, s.Key, s.Value)
	// What gathers changes has to know what the nodes after it were told.
	exact := wantOld || emit.Emission != OnUpdate
	s.Label = n.Label()
	s.KeepOld = exact
	if emit.Emission == OnCommit {
		s.Changed = func(e *cache.Entry[K, V]) error {
			return out.Emit(Change[K, V]{
				Key: e.Key, New: e.Value, HasNew: e.OK, Old: e.Old, HasOld: e.HadOld,
				Time: e.Time, Meta: t.Meta(),
			})
		}
	}
	kv := cache.OpenKeyValue(t, s)
	tellDeaths(kv, emit, out)
	t.Keep(s.Store.Name, kv)
	t.Keep(toldOf(s.Store.Name), tellsRow[K, V](func(e *cache.Entry[K, V], now Row[V]) (Row[V], error) { return out.Told(e.Key, now) }))
	entry := kv.Slot
	if exact {
		entry = kv.Entry
	}
	isNull := null.Test[V]()
	own := &ownOld[V]{}
	t.Keep(ownOldOf(s.Store.Name), own)
	return func(k K, v V, has bool, time int64) error {
		e, err := entry(k)
		if err != nil {
			return err
		}
		if err := kv.Renew(e); err != nil {
			return err
		}
		if isNull != nil && isNull(v) {
			has = false
		}
		c := Change[K, V]{Key: k, New: v, HasNew: has, Time: time, Meta: t.Meta()}
		if exact {
			c.Old, c.HasOld = e.Value, e.OK
			if err := kv.Touch(e); err != nil {
				return err
			}
			if own.set {
				c.Old, c.HasOld = own.old, own.has
			}
		}
		if has {
			kv.Set(e, v, time)
		} else {
			kv.Delete(e, time)
		}
		if !emit.Updates() {
			return nil
		}
		return out.Emit(c)
	}
}

// lookupIn is TableDef.Lookup for a table with a store. Kafka Streams' joins see
// what a table has, whether it was told yet or not.
func lookupIn[K, V any](b *Builder, store string) func(*task.Task) Lookup[K, V] {
	open := Opener[K, V](store).Lookup
	if !b.LikeKafka {
		return open
	}
	return func(t *task.Task) Lookup[K, V] {
		lookup := open(t)
		return func(k K, _ View) (Row[V], error) { return lookup(k, Latest) }
	}
}

// Opener finds the store of a table in a task by its name.
type Opener[K, V any] string

// tellsRow is a row of a table's store as the nodes after the table know it,
// where its latest state is now.
type tellsRow[K, V any] func(e *cache.Entry[K, V], now Row[V]) (Row[V], error)

// toldOf is under what name a task keeps a table's tellsRow.
func toldOf(store string) string { return store + " as told" }

// Lookup reads the store's rows.
func (o Opener[K, V]) Lookup(t *task.Task) Lookup[K, V] {
	kv := t.Opened(string(o)).(*cache.KeyValue[K, V])
	told, _ := t.Opened(toldOf(string(o))).(tellsRow[K, V])
	return func(k K, view View) (Row[V], error) {
		e, err := kv.Entry(k)
		if err != nil {
			return Row[V]{}, err
		}
		r := Row[V]{Value: e.Value, OK: kv.Visible(e), Time: e.Time}
		if view == Latest {
			if !r.OK {
				r.Value = *new(V) // it may have expired
			}
			return r, nil
		}
		r.Value, r.OK = kv.Emitted(e)
		if told != nil {
			return told(e, r)
		}
		return r, nil
	}
}
