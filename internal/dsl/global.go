package dsl

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

// GlobalTable reads every partition of a topic on every instance.
func GlobalTable[K, V any](b *Builder, from topic.Topic[K, V], at string) *GlobalDef[K, V] {
	t := UseTopic(b, from, topology.External, at)
	st := b.Store(topology.Store{Name: from.Name(), Kind: topology.GlobalKV, Logging: topology.Unlogged, At: at}, TypeNames[K, V]())
	node := b.Add(topology.Node{Op: "GlobalTable", Name: from.Name(), Kind: topology.Global, At: at, Topic: t, Stores: []*topology.Store{st}}, nil)
	return addGlobal[K, V](b, node, func() task.Global { return newGlobalRows(from.Key(), from.Value()) })
}

func addGlobal[K, V any](b *Builder, node *topology.Node, open func() task.Global) *GlobalDef[K, V] {
	d := &GlobalDef[K, V]{B: b, Node: node, Index: len(b.Plan.Globals)}
	b.Plan.Globals = append(b.Plan.Globals, task.GlobalTable{Node: node, New: open})
	return d
}

// Lookup reads the table in a task.
func (d *GlobalDef[K, V]) Lookup(t *task.Task) func(K) (V, bool, error) {
	r := d.Reader(t)
	return func(k K) (v V, ok bool, err error) {
		row, err := r.Get(k)
		return row.Value, row.OK, err
	}
}

// globalRows is a hash table with one writer and any number of readers, none of
// which waits for another: chains only grow at their head, a row's value is
// replaced as a whole, and a grown table is swapped in when it is complete.
type globalRows[K, V any] struct {
	key   serde.Serde[K]
	value serde.Serde[V]
	clone func(V) V
	seed  maphash.Seed
	table atomic.Pointer[globalHash[V]]
	rows  atomic.Int64 // with a value
	nodes int          // with or without, known to the writer
}

type globalHash[V any] struct {
	mask    uint64
	buckets []atomic.Pointer[globalRow[V]]
}

type globalRow[V any] struct {
	hash  uint64
	key   string
	value atomic.Pointer[globalValue[V]] // nil: deleted
	next  *globalRow[V]
}

// globalValue is what a row holds; it is replaced as a whole.
type globalValue[V any] struct {
	v    V
	time int64
}

func newGlobalRows[K, V any](key serde.Serde[K], value serde.Serde[V]) *globalRows[K, V] {
	g := &globalRows[K, V]{key: key, value: value, seed: maphash.MakeSeed()}
	if c, ok := value.(serde.Cloner[V]); ok {
		g.clone = c.Clone
	}
	g.table.Store(newGlobalHash[V](64))
	return g
}

func newGlobalHash[V any](size int) *globalHash[V] {
	return &globalHash[V]{mask: uint64(size - 1), buckets: make([]atomic.Pointer[globalRow[V]], size)}
}

func (h *globalHash[V]) find(hash uint64, key []byte) *globalRow[V] {
	for r := h.buckets[hash&h.mask].Load(); r != nil; r = r.next {
		if r.hash == hash && r.key == string(key) {
			return r
		}
	}
	return nil
}

func (h *globalHash[V]) insert(hash uint64, key string, value *globalValue[V]) {
	b := &h.buckets[hash&h.mask]
	r := &globalRow[V]{hash: hash, key: key, next: b.Load()}
	r.value.Store(value)
	b.Store(r)
}

// get is the value of an encoded key, nil if there is none.
func (g *globalRows[K, V]) get(key []byte) *globalValue[V] {
	if r := g.table.Load().find(maphash.Bytes(g.seed, key), key); r != nil {
		return r.value.Load()
	}
	return nil
}

func (g *globalRows[K, V]) set(key []byte, value *globalValue[V]) {
	hash := maphash.Bytes(g.seed, key)
	h := g.table.Load()
	r := h.find(hash, key)
	switch {
	case r != nil:
		g.count(r.value.Swap(value) != nil, value != nil)
		return
	case value == nil:
		return
	}
	if g.nodes >= len(h.buckets) {
		h = g.grow(h)
	}
	h.insert(hash, string(key), value)
	g.nodes++
	g.count(false, true)
}

func (g *globalRows[K, V]) count(had, has bool) {
	if had && !has {
		g.rows.Add(-1)
	} else if has && !had {
		g.rows.Add(1)
	}
}

// grow makes a table of twice the size, without the deleted rows.
func (g *globalRows[K, V]) grow(old *globalHash[V]) *globalHash[V] {
	h := newGlobalHash[V](2 * len(old.buckets))
	g.nodes = 0
	for i := range old.buckets {
		for r := old.buckets[i].Load(); r != nil; r = r.next {
			if p := r.value.Load(); p != nil {
				h.insert(r.hash, r.key, p)
				g.nodes++
			}
		}
	}
	g.table.Store(h)
	return h
}

// Len implements task.Global.
func (g *globalRows[K, V]) Len() int { return int(g.rows.Load()) }

// Apply implements task.Global. It applies all that can be decoded, and returns
// the first record that can't as a *task.Failure.
func (g *globalRows[K, V]) Apply(tp record.TopicPartition, recs []record.Record) error {
	return applyAll(tp, recs, "GlobalTable", task.FailedDecode, g.apply)
}

// applyAll applies each record, and returns the failure of the first one that
// can't be.
func applyAll(tp record.TopicPartition, recs []record.Record, op string, kind task.FailureKind, apply func(*record.Record) error) error {
	var failed error
	for i := range recs {
		if err := apply(&recs[i]); err != nil && failed == nil {
			f := &task.Failure{
				Task: task.ID{Sub: -1, Partition: tp.Partition}, Kind: kind, Operator: op + "(" + tp.Topic + ")",
				Topic: tp.Topic, Partition: tp.Partition, Offset: recs[i].Offset, Time: recs[i].Time, Err: err,
			}
			var named *task.OpError
			if errors.As(err, &named) {
				f.Kind, f.Err = named.Kind, named.Err
			}
			failed = f
		}
	}
	return failed
}

func (g *globalRows[K, V]) apply(r *record.Record) error {
	if r.Key == nil {
		return nil // a row needs a key
	}
	k, err := g.key.Decode(r.Key)
	if err != nil {
		return fmt.Errorf("decode key: %w", err)
	}
	key, err := g.key.Append(nil, k)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	if r.Value == nil {
		g.set(key, nil)
		return nil
	}
	v, err := g.value.Decode(r.Value)
	if err != nil {
		return fmt.Errorf("decode value: %w", err)
	}
	g.put(key, v, r.Time)
	return nil
}

// put sets the row of an encoded key.
func (g *globalRows[K, V]) put(key []byte, v V, time int64) {
	if g.clone != nil {
		v = g.clone(v)
	}
	g.set(key, &globalValue[V]{v, time})
}
