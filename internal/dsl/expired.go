package dsl

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// noRecord is where a change comes from that no record has caused.
func noRecord() *record.Meta { return &record.Meta{Partition: -1, Offset: -1} }

// tellDeaths lets a table tell of the rows that go by themselves: because their
// life is over, or to make room. One that emits on commit finds them there.
func tellDeaths[K, V any](kv *cache.KeyValue[K, V], emit *Emitting, out *Teller[K, V]) {
	if !emit.Updates() {
		return
	}
	meta := noRecord()
	kv.OnDeath(func(e *cache.Entry[K, V], old V) error {
		return out.Emit(Change[K, V]{Key: e.Key, Old: old, HasOld: true, Time: e.Time, Meta: meta})
	})
}

// Expired is the stream of the rows of a store that go by themselves. The operator
// that the store belongs to must be there already.
func Expired[K, V any](b *Builder, name, at string) *StreamDef[K, V] {
	d := &StreamDef[K, V]{B: b}
	st := b.StoreOf(name)
	node := topology.Node{Op: "Expired", Name: name, Kind: topology.Processor, At: at}
	switch {
	case st == nil:
		b.Fail(at, "no operator has store %q yet; call Expired after the one that does", name)
	case st.TTL == 0 && st.Capacity == 0:
		b.Fail(at, "no row of store %q goes by itself; declare it with state.TTL, state.WallClockTTL or state.LRU", name)
	default:
		node.Stores = []*topology.Store{st}
		node.Inputs = b.Plan.Graph.Users(st)[:1]
	}
	d.Node = b.Add(node, func(t *task.Task, n *topology.Node) {
		port, meta := NewPort[Record[K, V]](t, n), noRecord()
		t.Opened(name).(*cache.KeyValue[K, V]).OnGone(func(k K, v V, time int64) error {
			return port.Emit(Record[K, V]{Key: k, Value: v, Time: time, Meta: meta})
		})
	})
	return d
}
