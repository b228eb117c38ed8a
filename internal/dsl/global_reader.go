package dsl

import (
	"fmt"
	"strings"

	"github.com/leatstream/leat/internal/cache"

	"github.com/leatstream/leat/internal/invariant"
	"github.com/leatstream/leat/internal/task"
)

// GlobalReader reads a global table. It is used by one goroutine, while another
// one writes.
type GlobalReader[K, V any] struct {
	rows    *globalRows[K, V]
	scratch []byte
}

// holder is the open state of a global table, however it is fed.
type holder[K, V any] interface{ held() *globalRows[K, V] }

func (g *globalRows[K, V]) held() *globalRows[K, V] { return g }

// Reader reads the table in a task.
func (d *GlobalDef[K, V]) Reader(t *task.Task) GlobalReader[K, V] { return d.Read(t.Global(d.Index)) }

// Read reads the table's open state.
func (d *GlobalDef[K, V]) Read(g task.Global) GlobalReader[K, V] {
	h, ok := g.(holder[K, V])
	if !ok {
		invariant.Violated("global table %d is a %T", d.Index, g)
	}
	return GlobalReader[K, V]{rows: h.held()}
}

// Get finds the row of a key.
func (r *GlobalReader[K, V]) Get(k K) (row Row[V], err error) {
	if r.scratch, err = r.rows.key.Append(r.scratch[:0], k); err != nil {
		return row, fmt.Errorf("encode key: %w", err)
	}
	if v := r.rows.get(r.scratch); v != nil {
		row = Row[V]{Value: v.v, OK: true, Time: v.time}
	}
	return row, nil
}

// Len is the number of rows.
func (r *GlobalReader[K, V]) Len() int { return r.rows.Len() }

// GlobalRow is one row of a global table.
type GlobalRow[K, V any] struct {
	Key   K
	Value V
	Time  int64

	key string // encoded
}

// All is a copy of the table, in the order of the encoded keys.
func (r *GlobalReader[K, V]) All() []GlobalRow[K, V] {
	var all []GlobalRow[K, V]
	table := r.rows.table.Load()
	for i := range table.buckets {
		for row := table.buckets[i].Load(); row != nil; row = row.next {
			v := row.value.Load()
			if v == nil {
				continue
			}
			// It was encoded by this serde, so it can be decoded.
			if k, err := r.rows.key.Decode([]byte(row.key)); err == nil {
				all = append(all, GlobalRow[K, V]{k, v.v, v.time, row.key})
			}
		}
	}
	cache.SortFunc(all, func(a, b GlobalRow[K, V]) int { return strings.Compare(a.key, b.key) })
	return all
}
