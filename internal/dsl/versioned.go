package dsl

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// upsertVersions is Upserts for a table that keeps the versions of its rows. A
// row that is put with an older time than the newest is a stale change: what it
// was before is the version that held at its time. (Kafka Streams gives the
// newest one there.)
func upsertVersions[K, V any](b *Builder, spec TableSpec[K, V], feed func(*task.Task, *topology.Node, Upsert[K, V])) *TableDef[K, V] {
	s := spec.Store
	spec.Node.Stores = append(spec.Node.Stores, s.Store)
	var wantOld bool
	open := VersionedOpener[K, V](s.Store.Name)
	d := &TableDef[K, V]{B: b, WantOld: func() { wantOld = true }, Lookup: open.Lookup, LookupAt: open.LookupAt, Value: spec.Store.Value}
	d.Node = b.Add(spec.Node, func(t *task.Task, n *topology.Node) {
		port := NewPort[Change[K, V]](t, n)
		label := n.Label()
		vs := cache.OpenVersioned(t, cache.VersionedSpec[K, V]{
			Store: s.Store, Label: label, Key: s.Key, Value: s.Value, History: spec.History, Forget: b.LikeKafka,
		})
		t.Keep(s.Store.Name, vs)
		isNull := null.Test[V]()
		feed(t, n, func(k K, v V, has bool, time int64) error {
			if isNull != nil && isNull(v) {
				has = false
			}
			var old cache.Version[V]
			var err error
			if wantOld && b.LikeKafka {
				if old, err = vs.Latest(k); err != nil {
					return err
				}
			}
			p, err := vs.Put(k, v, has, time)
			if err != nil {
				return err
			}
			if !p.Kept {
				t.Drop(label, task.DropLate)
				return nil
			}
			c := Change[K, V]{Key: k, New: v, HasNew: has, Time: time, Stale: p.To != cache.NoEnd, Meta: t.Meta()}
			if wantOld {
				if !b.LikeKafka {
					old = p.Before
				}
				c.Old, c.HasOld = old.Value, old.OK
			}
			return port.Emit(c)
		})
	})
	return d
}

// VersionedOpener finds the store of a versioned table in a task by its name.
type VersionedOpener[K, V any] string

func (o VersionedOpener[K, V]) store(t *task.Task) *cache.Versioned[K, V] {
	return t.Opened(string(o)).(*cache.Versioned[K, V])
}

// Lookup reads the newest version of a row. Such a table tells of each change at
// once, so that what it has is what it told.
func (o VersionedOpener[K, V]) Lookup(t *task.Task) Lookup[K, V] {
	vs := o.store(t)
	return func(k K, _ View) (Row[V], error) {
		v, err := vs.Latest(k)
		return Row[V]{Value: v.Value, OK: v.OK, Time: v.From}, err
	}
}

// LookupAt reads the version of a row that holds at a time.
func (o VersionedOpener[K, V]) LookupAt(t *task.Task) LookupAt[K, V] {
	vs := o.store(t)
	return func(k K, at int64) (Row[V], error) {
		v, err := vs.AsOf(k, at)
		return Row[V]{Value: v.Value, OK: v.OK, Time: v.From}, err
	}
}

// LookupAt reads a row as it was at a time, in milliseconds since the epoch.
type LookupAt[K, V any] func(k K, at int64) (Row[V], error)
