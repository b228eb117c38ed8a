package stream

import (
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/window"
)

// Join joins each pair of records, one of either stream, that have the same key
// and timestamps no further apart than the window says. A result's timestamp is
// the later one, its headers are those of the record that came last. Both
// streams must be partitioned by their keys into the same number of partitions.
// A stream may be joined with itself: each record then meets itself too.
//
// Each side is kept, in the stores of as, for as long as the other may still
// join it: the window's two reaches and its grace, by stream time. Records
// without a key or with a nil value are dropped and counted, as are records too
// late to be kept (reason "late"), which still join what is there.
func (s Stream[K, V]) Join[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(V, V2) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "Join", inner, w, as, func(_ K, v V, _ bool, v2 V2, _ bool) VR { return f(v, v2) })
}

// JoinWithKey is Join for a function that is given the key too.
func (s Stream[K, V]) JoinWithKey[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(K, V, V2) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "JoinWithKey", inner, w, as, func(k K, v V, _ bool, v2 V2, _ bool) VR { return f(k, v, v2) })
}

// LeftJoin is Join, and gives one result more, with known false, for each record
// of s that has joined none when its window has closed: when stream time has
// passed its timestamp plus the window's reach forward plus grace, and a record
// comes that neither lacks a key or value. Results of several records come in
// the order of their timestamps, then of their encoded keys.
//
// A record of s that has no key, or whose window has closed when it comes, has
// that result at once. (In Kafka Streams, and with [LikeKafka], it is not waited
// for the grace where stream time has passed the reach forward already: a match
// that comes within the grace is a second result then.)
func (s Stream[K, V]) LeftJoin[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(v V, v2 V2, known bool) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "LeftJoin", left, w, as, func(_ K, v V, _ bool, v2 V2, known bool) VR { return f(v, v2, known) })
}

// LeftJoinWithKey is LeftJoin for a function that is given the key too: the zero
// K for a record without one.
func (s Stream[K, V]) LeftJoinWithKey[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(key K, v V, v2 V2, known bool) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "LeftJoinWithKey", left, w, as, func(k K, v V, _ bool, v2 V2, known bool) VR { return f(k, v, v2, known) })
}

// OuterJoin is LeftJoin for the records of both streams: ok says whether there
// is a record of s, ok2 whether there is one of other. One of them always is. A
// record of other waits for the window's reach back plus grace. Among records
// of one timestamp that have joined none, those of other come first.
func (s Stream[K, V]) OuterJoin[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(v V, ok bool, v2 V2, ok2 bool) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "OuterJoin", outer, w, as, func(_ K, v V, ok bool, v2 V2, ok2 bool) VR { return f(v, ok, v2, ok2) })
}

// OuterJoinWithKey is OuterJoin for a function that is given the key too: the
// zero K for a record without one.
func (s Stream[K, V]) OuterJoinWithKey[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(key K, v V, ok bool, v2 V2, ok2 bool) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "OuterJoinWithKey", outer, w, as, f)
}

// outer is a side beyond those of joins with tables.
const outer = left + 1

// UnmatchedInterval is, under [LikeKafka], how often at most left and outer joins
// of streams look for records that have joined none, by wall-clock time: a second
// in Kafka Streams, each time here unless this says otherwise. Without LikeKafka
// looking costs nothing, and results come as soon as they can.
func UnmatchedInterval(d time.Duration) Option {
	return func(b *dsl.Builder) { b.UnmatchedIntervalMS = d.Milliseconds() }
}

// joinFunc is a function of both sides' values, and of whether they are there.
type joinFunc[K, L, R, VR any] func(k K, l L, hasLeft bool, r R, hasRight bool) VR

func joinStreams[K, L, R, VR any](l *dsl.StreamDef[K, L], r *dsl.StreamDef[K, R], op string, kind side, w window.Join, as state.Join[K, L, R], f joinFunc[K, L, R, VR]) Stream[K, VR] {
	b, at := l.B, dsl.Caller()
	if err := w.Check(); err != nil {
		b.Fail(at, "%s: %v", op, err)
	}
	for _, rekeyed := range [...]string{l.Rekeyed, r.Rekeyed} {
		if rekeyed != "" {
			b.Fail(at, "%s needs both streams partitioned by their key, but %s changed it; put .Repartition(topic) before", op, rekeyed)
		}
	}
	retention, hidden := keepFor(w, b.LikeKafka)
	leftStore, rightStore := state.UseJoin(b, as, time.Duration(retention)*time.Millisecond, at)
	d := &dsl.StreamDef[K, VR]{B: b}
	d.Node = b.Add(topology.Node{
		Op: op, Name: as.Name(), Kind: topology.Processor, At: at, Copartitioned: true,
		Inputs: []*topology.Node{l.Node, r.Node}, Stores: []*topology.Store{leftStore, rightStore},
	}, func(t *task.Task, n *topology.Node) {
		j := newStreamJoin[K, VR](t, n, b, kind)
		j.hidden = hidden
		j.blind = b.LikeKafka && w.RetentionMS() <= 0
		lefts := cache.OpenRows(t, cache.RowSpec[K, sided[L]]{Store: leftStore, Label: j.label, Key: as.Key(), Value: sidedSerde[L]{value: as.Left()}, Retention: retention})
		rights := cache.OpenRows(t, cache.RowSpec[K, sided[R]]{Store: rightStore, Label: j.label, Key: as.Key(), Value: sidedSerde[R]{value: as.Right(), bare: kind != outer}, Retention: retention})
		if b.LikeKafka && b.SelfJoins && l.Node == r.Node {
			self := &selfJoin[K, L, R, VR]{streamJoin: j, rows: lefts, window: w, f: f, isNull: null.Test[L]()}
			l.Out(t).Subscribe(n, self.on)
			return
		}
		ls := newJoinSide(j, lefts, w, kind != inner, f)
		rs := newJoinSide(j, rights, w.Mirror(), kind == outer, func(k K, r R, hasRight bool, l L, hasLeft bool) VR { return f(k, l, hasLeft, r, hasRight) })
		ls.other, rs.other = rs, ls
		j.sides = [2]waitingSide[K]{rs, ls}
		l.Out(t).Subscribe(n, ls.on)
		r.Out(t).Subscribe(n, rs.on)
		if !b.LikeKafka {
			dsl.OnTime(t, j.time, j.silence)
		}
	})
	return streamOf(d)
}

// keepFor is the milliseconds for which either side is kept. A reach that is
// negative doesn't shorten it: a record waits for the farthest that may come.
// Where a reach is nothing it is a millisecond more than in Kafka Streams, which
// loses matches at the window's border there, or all if both are nothing.
//
// Under LikeKafka a record may wait longer than it can be found, which is for
// hidden milliseconds less.
func keepFor(w window.Join, likeKafka bool) (keep, hidden int64) {
	if likeKafka {
		keep = max(1, w.RetentionMS())
		hidden = max(w.BeforeMS(), w.AfterMS(), 0) + w.GraceMS() + keep
		return keep + hidden, hidden
	}
	keep = max(w.BeforeMS(), 0) + max(w.AfterMS(), 0) + w.GraceMS()
	if w.BeforeMS() <= 0 || w.AfterMS() <= 0 {
		keep++
	}
	return keep, 0
}
