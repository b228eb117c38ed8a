package stream

import (
	"encoding/binary"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

// Windowed is a grouped stream cut into fixed windows: tumbling, hopping,
// unlimited, or custom. A record that comes when its window is closed (stream
// time has reached the window's end plus its grace) is dropped for that window
// and counted, reason "late". One that is in no window is dropped and counted,
// reason "no-window". Stream time is the highest timestamp of a record with a key
// that the operator has seen in its partition.
//
// The row of a window has the time of its latest record. Windows are stored in
// the declared store and its changelog until their retention is over.
type Windowed[K, V any] struct {
	g Grouped[K, V]
	w window.Fixed
}

// Count counts the records of each key and window, also those without a value.
func (w Windowed[K, V]) Count[S state.Of[K, int64]](as S) table.Table[window.Key[K], int64] {
	return w.fold("Count", state.Store[K, int64](as), counting[K, V], zero[int64])
}

// Reduce combines the values of each key and window, as Grouped.Reduce. A nil
// value is combined as others are.
func (w Windowed[K, V]) Reduce[S state.Of[K, V]](as S, f func(row, value V) V) table.Table[window.Key[K], V] {
	return w.fold("Reduce", state.Store[K, V](as), reducing[K](f), nil)
}

// Aggregate combines the values of each key and window, as Grouped.Aggregate.
func (w Windowed[K, V]) Aggregate[A any](as state.Store[K, A], init func() A, add func(K, V, A) A) table.Table[window.Key[K], A] {
	return w.fold("Aggregate", as, adding(init, add), init)
}

func (w Windowed[K, V]) fold[A any](op string, as state.Store[K, A], f folder[K, V, A], born func() A) table.Table[window.Key[K], A] {
	in := w.g.in
	a := windowAggregation(in.B, op, dsl.Caller(), as, w.w, w.g.emit)
	a.Input, a.Feed, a.Born = in.Node, windowFeed(in, w.w, "", f), born
	return table.Table[window.Key[K], A](dsl.NewTable(a.Build(in.B)))
}

// windowAggregation is an aggregation in fixed windows, but for its inputs.
func windowAggregation[K, A any](b *dsl.Builder, op, at string, as state.Store[K, A], w window.Fixed, emit dsl.Emission) dsl.Aggregation[window.Key[K], A] {
	retention := w.RetentionMS()
	var find func(window.Key[K]) window.Key[K]
	if b.LikeKafka && w.AdvanceMS() > 0 {
		// Kafka's stores know windows by their starts alone.
		find = func(k window.Key[K]) window.Key[K] {
			k.EndMS = k.StartMS + w.SizeMS()
			return k
		}
	}
	return dsl.Aggregation[window.Key[K], A]{
		Op: op, At: at, Emit: emit, Find: find,
		Closing: dsl.Closing[window.Key[K]]{ClosesAt: w.ClosesAt, Span: func(k window.Key[K]) (start, end int64) { return k.StartMS, k.EndMS }},
		Spec: cache.Spec[window.Key[K], A]{
			Store: state.Use(b, as, topology.Window, time.Duration(retention)*time.Millisecond, at),
			Key:   window.KeySerde(as.Key()), Value: as.Value(),
			Layout: cache.Layout{Retention: retention, TimeOf: windowStart, ShowCached: b.LikeKafka && emit.Cached()},
		},
	}
}

// windowStart is the start in an encoded window.Key.
func windowStart(key []byte) int64 {
	if len(key) < 16 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(key[len(key)-16:]))
}
