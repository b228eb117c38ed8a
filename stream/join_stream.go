package stream

import (
	"sort"
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
// the later one. Both streams must be partitioned by their keys into the same
// number of partitions.
//
// Each side is kept, in the stores of as, for as long as the other may still
// join it: the window's two reaches and its grace, by stream time. Records
// without a key or with a nil value are dropped and counted, as are records too
// late to be kept (reason "late"), which still join what is there.
func (s Stream[K, V]) Join[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(V, V2) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "Join", inner, w, as, func(v V, v2 V2, _ bool) VR { return f(v, v2) })
}

// LeftJoin is Join, and gives one result more, with known false, for each record
// of s that has joined none when its window has closed: when stream time has
// passed its timestamp plus the window's reach forward plus grace, and a record
// comes that is not late itself.
//
// A record of s has that result at once if it has no key, or if it is late: if
// stream time has passed its timestamp plus the window's reach forward. In the
// latter case a match that comes within the grace is a second result, as in
// Kafka Streams.
func (s Stream[K, V]) LeftJoin[V2, VR any](other Stream[K, V2], w window.Join, as state.Join[K, V, V2], f func(v V, v2 V2, known bool) VR) Stream[K, VR] {
	return joinStreams(s.def(), other.def(), "LeftJoin", left, w, as, f)
}

func joinStreams[K, L, R, VR any](l *dsl.StreamDef[K, L], r *dsl.StreamDef[K, R], op string, kind side, w window.Join, as state.Join[K, L, R], f func(L, R, bool) VR) Stream[K, VR] {
	b, at := l.B, dsl.Caller()
	if err := w.Check(); err != nil {
		b.Fail(at, "%s: %v", op, err)
	}
	for _, rekeyed := range [...]string{l.Rekeyed, r.Rekeyed} {
		if rekeyed != "" {
			b.Fail(at, "%s needs both streams partitioned by their key, but %s changed it; put .Repartition(topic) before", op, rekeyed)
		}
	}
	retention := keepFor(w)
	leftStore, rightStore := state.UseJoin(b, as, time.Duration(retention)*time.Millisecond, at)
	d := &dsl.StreamDef[K, VR]{B: b}
	d.Node = b.Add(topology.Node{
		Op: op, Name: as.Name(), Kind: topology.Processor, At: at, Copartitioned: true,
		Inputs: []*topology.Node{l.Node, r.Node}, Stores: []*topology.Store{leftStore, rightStore},
	}, func(t *task.Task, n *topology.Node) {
		j := &streamJoin[K, L, R, VR]{
			task: t, label: n.Label(), time: t.Time(n.Label()), keep: retention, window: w, kind: kind, f: f,
			port: dsl.NewPort[dsl.Record[K, VR]](t, n), leftNull: null.Test[L](), rightNull: null.Test[R](),
		}
		j.left = cache.OpenRows(t, cache.RowSpec[K, sided[L]]{Store: leftStore, Label: j.label, Key: as.Key(), Value: sidedSerde[L]{as.Left()}, Retention: retention})
		j.right = cache.OpenRows(t, cache.RowSpec[K, R]{Store: rightStore, Label: j.label, Key: as.Key(), Value: as.Right(), Retention: retention})
		l.Out(t).Subscribe(n, j.onLeft)
		r.Out(t).Subscribe(n, j.onRight)
	})
	return streamOf(d)
}

// keepFor is the milliseconds for which either side is kept. A reach that is
// negative doesn't shorten it: a record waits for the farthest that may come.
// Where a reach is nothing it is a millisecond more than in Kafka Streams, which
// loses matches at the window's border there, or all if both are nothing.
func keepFor(w window.Join) int64 {
	keep := max(w.BeforeMS(), 0) + max(w.AfterMS(), 0) + w.GraceMS()
	if w.BeforeMS() <= 0 || w.AfterMS() <= 0 {
		keep++
	}
	return keep
}

// streamJoin is a join of two streams in a task.
type streamJoin[K, L, R, VR any] struct {
	task      *task.Task
	label     string
	window    window.Join
	kind      side
	f         func(L, R, bool) VR
	port      *dsl.Port[dsl.Record[K, VR]]
	leftNull  func(L) bool
	rightNull func(R) bool
	left      *cache.Rows[K, sided[L]]
	right     *cache.Rows[K, R]
	time      *int64 // stream time over both sides
	keep      int64  // retention of the stores, milliseconds
	ready     bool
	pending   pendingHeap[K]
}

// observe moves stream time on, as every record does.
func (j *streamJoin[K, L, R, VR]) observe(ts int64) error {
	if !j.ready {
		if err := j.recall(); err != nil {
			return err
		}
	}
	*j.time = max(*j.time, ts)
	return nil
}

func (j *streamJoin[K, L, R, VR]) onLeft(r dsl.Record[K, L]) error {
	if err := j.observe(r.Time); err != nil {
		return err
	}
	noValue := j.leftNull != nil && j.leftNull(r.Value)
	if r.KeyNull && !noValue && j.kind == left {
		return j.port.Emit(valued(r, j.f(r.Value, none[R](), false))) // it can have no match
	}
	if dropped(j.task, j.label, r.KeyNull, noValue) {
		return nil
	}
	// A record that moves the store's time may yet be late, since dropped ones
	// move stream time too: what waits must be told before it expires.
	if r.Time == *j.time || r.Time-j.keep >= j.left.Oldest() {
		if err := j.unmatched(); err != nil {
			return err
		}
	}
	others, err := j.right.Row(r.Key)
	if err != nil {
		return err
	}
	lo, hi := j.window.Range(r.Time)
	matched := false
	for i := from(others, max(lo, j.right.Oldest())); i < len(others.Cells) && others.Cells[i].Time <= hi; i++ {
		matched = true
		c := &others.Cells[i]
		if err := j.emit(r.Key, j.f(r.Value, c.Value, true), max(r.Time, c.Time)); err != nil {
			return err
		}
	}
	waits := !matched && j.kind == left
	if waits && hi < *j.time {
		// As in Kafka Streams it is not waited for the grace, in which there may
		// still come a match.
		waits = false
		if err := j.emit(r.Key, j.f(r.Value, none[R](), false), r.Time); err != nil {
			return err
		}
	}
	if j.left.Expired(r.Time) {
		j.task.Drop(j.label, task.DropLate)
		return nil
	}
	row, err := j.left.Row(r.Key)
	if err != nil {
		return err
	}
	sub := nextSub(row, r.Time)
	j.left.Put(row, r.Time, sub, sided[L]{value: r.Value, waits: waits})
	if waits {
		j.pending.push(waiting[K]{key: row.Key, encoded: row.Encoded(), time: r.Time, sub: sub})
	}
	return nil
}

func (j *streamJoin[K, L, R, VR]) onRight(r dsl.Record[K, R]) error {
	if err := j.observe(r.Time); err != nil {
		return err
	}
	if dropped(j.task, j.label, r.KeyNull, j.rightNull != nil && j.rightNull(r.Value)) {
		return nil
	}
	if r.Time == *j.time {
		if err := j.unmatched(); err != nil {
			return err
		}
	}
	others, err := j.left.Row(r.Key)
	if err != nil {
		return err
	}
	lo, hi := j.window.Mirror().Range(r.Time)
	for i := from(others, max(lo, j.left.Oldest())); i < len(others.Cells) && others.Cells[i].Time <= hi; i++ {
		c := others.Cells[i]
		if c.Value.waits {
			j.left.Put(others, c.Time, c.Sub, sided[L]{value: c.Value.value})
		}
		if err := j.emit(r.Key, j.f(c.Value.value, r.Value, true), max(r.Time, c.Time)); err != nil {
			return err
		}
	}
	if j.right.Expired(r.Time) {
		j.task.Drop(j.label, task.DropLate)
		return nil
	}
	row, err := j.right.Row(r.Key)
	if err != nil {
		return err
	}
	j.right.Put(row, r.Time, nextSub(row, r.Time), r.Value)
	return nil
}

func (j *streamJoin[K, L, R, VR]) emit(k K, v VR, at int64) error {
	return j.port.Emit(dsl.Record[K, VR]{Key: k, Value: v, Time: at, Meta: j.task.Meta()})
}

// unmatched gives the results of left records that waited in vain.
func (j *streamJoin[K, L, R, VR]) unmatched() error {
	for len(j.pending) > 0 && j.window.Late(j.pending[0].time, *j.time) {
		p := j.pending.pop()
		row, err := j.left.Row(p.key)
		if err != nil {
			return err
		}
		for i := from(row, p.time); i < len(row.Cells) && row.Cells[i].Time == p.time; i++ {
			c := row.Cells[i]
			if c.Sub != p.sub || !c.Value.waits {
				continue
			}
			j.left.Put(row, c.Time, c.Sub, sided[L]{value: c.Value.value})
			if err := j.emit(row.Key, j.f(c.Value.value, none[R](), false), c.Time); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// recall finds the left records that were waiting when the task was closed.
func (j *streamJoin[K, L, R, VR]) recall() error {
	j.ready = true
	if j.kind != left {
		return nil
	}
	return j.left.Stored(func(key K, encoded string, c cache.Cell[sided[L]]) {
		if c.Value.waits {
			j.pending.push(waiting[K]{key: key, encoded: encoded, time: c.Time, sub: c.Sub})
		}
	})
}

// none is the value of a side that has none.
func none[V any]() (v V) { return v }

// from is the index of the row's first cell that is not before lo.
func from[K, V any](row *cache.Row[K, V], lo int64) int {
	return sort.Search(len(row.Cells), func(i int) bool { return row.Cells[i].Time >= lo })
}

// nextSub numbers the records of one key and timestamp.
func nextSub[K, V any](row *cache.Row[K, V], ts int64) int64 {
	sub := int64(0)
	for i := len(row.Cells) - 1; i >= 0 && row.Cells[i].Time >= ts; i-- {
		if row.Cells[i].Time == ts {
			sub = max(sub, row.Cells[i].Sub+1)
		}
	}
	return sub
}
