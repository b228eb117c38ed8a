package stream

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/window"
)

// Dedup lets the first record of each key pass and drops its duplicates: those
// whose timestamps are less than within away from that of one that has passed.
// They are counted, reason "duplicate".
//
//	payments.Dedup(seen, 10*time.Minute)
//
// A duplicate doesn't make the time begin anew: of a key that comes every minute
// one record in ten passes there. Records may be out of order. One that is older
// than the stream time of the operator by within or more is dropped and counted,
// reason "late", as it can't be told any more whether it is a duplicate. Records
// without a key pass. Time, headers and order stay as they are.
//
// What has passed is kept in the store, for 3*within, and in its changelog. A
// record that is processed again after a crash passes again if it passed before:
// it is known by where it was read. The stream must be partitioned by its key.
//
// It is KIP-655, which Kafka Streams doesn't have.
func (s Stream[K, V]) Dedup[S interface{ state.Seen[K] }](as S, within time.Duration) Stream[K, V] {
	at, d := dsl.Caller(), s.def()
	if d.Rekeyed != "" {
		d.B.Fail(at, "Dedup needs records partitioned by their key, but %s changed it; put .Repartition(topic) before", d.Rekeyed)
	}
	return dedup(d, state.Seen[K](as), within, "Dedup", at, func(k K, _ V) K { return k }, true)
}

// DedupBy is [Stream.Dedup] by an id that a function takes from the record, such as
// the number of an order. Records whose id is nil pass. Only duplicates in the same
// partition are found: the stream must be partitioned by the id, or by what equal
// ids have in common.
func (s Stream[K, V]) DedupBy[I any](as state.Seen[I], within time.Duration, id func(key K, value V) I) Stream[K, V] {
	return dedup(s.def(), as, within, "DedupBy", dsl.Caller(), id, false)
}

func dedup[K, V, I any](in *dsl.StreamDef[K, V], as state.Seen[I], within time.Duration, op, at string, id func(K, V) I, byKey bool) Stream[K, V] {
	ms := within.Milliseconds()
	if ms <= 0 {
		in.B.Fail(at, "%s: within %v isn't a millisecond or more", op, within)
		ms = 1
	}
	// A record that isn't late may be a duplicate of one that is 2*ms old, which
	// lies in a cell that begins up to ms before it.
	retention := 3 * ms
	st := state.UseSeen(in.B, as, time.Duration(retention)*time.Millisecond, at)
	d := &dsl.StreamDef[K, V]{B: in.B, Rekeyed: in.Rekeyed}
	d.Node = in.B.Add(topology.Node{
		Op: op, Name: st.Name, Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}, Stores: []*topology.Store{st},
	}, func(t *task.Task, n *topology.Node) {
		dd := &dedupTask[K, V, I]{
			task: t, label: n.Label(), ms: ms, id: id, byKey: byKey, isNull: null.Test[I](),
			out: dsl.NewPort[dsl.Record[K, V]](t, n), streamTime: t.Time(n.Label()),
			seen: cache.OpenKeyValue(t, cache.Spec[window.Key[I], passed]{
				Store: st, Label: n.Label(), Key: window.KeySerde(as.ID()), Value: passedSerde{},
				Layout: cache.Layout{Retention: retention, TimeOf: windowStart},
			}),
		}
		t.Keep(st.Name, dd.seen)
		in.Out(t).Subscribe(n, dd.record)
	})
	return streamOf(d)
}

// dedupTask is the operator in a task. Records that pass are at least ms apart, so
// in each span of ms there is one at most: that is a cell of the store.
type dedupTask[K, V, I any] struct {
	task       *task.Task
	label      string
	ms         int64
	id         func(K, V) I
	byKey      bool
	isNull     func(I) bool // nil if no I is null
	out        *dsl.Port[dsl.Record[K, V]]
	streamTime *int64
	seen       *cache.KeyValue[window.Key[I], passed]

	at origin // of the last record
}

// passed is a record that has passed.
type passed struct {
	time int64
	origin
}

// origin is where a record came from. One record of a topic can become several:
// n counts them.
type origin struct {
	topic  uint32 // hash of the name
	offset int64  // -1 for a record of no topic
	n      uint32
}

func (d *dedupTask[K, V, I]) record(r dsl.Record[K, V]) error {
	from := d.origin(r)
	id := d.id(r.Key, r.Value)
	if d.byKey && r.KeyNull || d.isNull != nil && d.isNull(id) {
		return d.out.Emit(r)
	}
	*d.streamTime = max(*d.streamTime, r.Time)
	again, err := d.known(id, r.Time, from)
	switch {
	case err != nil:
		return err
	case again == itself:
		return d.out.Emit(r)
	case r.Time <= *d.streamTime-d.ms:
		d.task.Drop(d.label, task.DropLate)
		return nil
	case again == another:
		d.task.Drop(d.label, task.DropDuplicate)
		return nil
	}
	e, err := d.seen.Slot(d.cell(id, r.Time/d.ms))
	if err != nil {
		return err
	}
	d.seen.Set(e, passed{r.Time, from}, r.Time)
	return d.out.Emit(r)
}

// origin tells a record from all others, also when it is processed again.
func (d *dedupTask[K, V, I]) origin(r dsl.Record[K, V]) origin {
	from := origin{topic: hash(r.Meta.Topic), offset: r.Meta.Offset}
	if from.topic == d.at.topic && from.offset == d.at.offset {
		from.n = d.at.n + 1
	}
	d.at = from
	return from
}

// hash is FNV-1a, which depends on nothing but the name.
func hash(name string) uint32 {
	h := uint32(2166136261)
	for i := range len(name) {
		h = (h ^ uint32(name[i])) * 16777619
	}
	return h
}

// witness is who has passed before a record.
type witness uint8

const (
	nobody witness = iota
	another
	itself
)

// known looks for a record with the id that has passed and is less than ms away.
func (d *dedupTask[K, V, I]) known(id I, time int64, from origin) (witness, error) {
	found := nobody
	for cell := max(time/d.ms-1, 0); cell <= time/d.ms+1; cell++ {
		e, err := d.seen.Entry(d.cell(id, cell))
		if err != nil {
			return nobody, err
		}
		switch {
		case !e.OK || !d.seen.Visible(e):
		case e.Value.origin == from && from.offset >= 0:
			return itself, nil
		case abs(e.Value.time-time) < d.ms:
			found = another
		}
	}
	return found, nil
}

func (d *dedupTask[K, V, I]) cell(id I, n int64) window.Key[I] {
	return window.Key[I]{Key: id, Span: window.Span{StartMS: n * d.ms, EndMS: (n + 1) * d.ms}}
}

func abs(n int64) int64 { return max(n, -n) }

// passedSerde writes 24 bytes, big-endian.
type passedSerde struct{}

var errPassed = errors.New("a record that has passed has 24 bytes")

// Append implements serde.Serde.
func (passedSerde) Append(dst []byte, p passed) ([]byte, error) {
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.time))
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.offset))
	dst = binary.BigEndian.AppendUint32(dst, p.topic)
	return binary.BigEndian.AppendUint32(dst, p.n), nil
}

// Decode implements serde.Serde.
func (passedSerde) Decode(src []byte) (p passed, err error) {
	if len(src) != 24 {
		return p, errPassed
	}
	p.time = int64(binary.BigEndian.Uint64(src))
	p.offset = int64(binary.BigEndian.Uint64(src[8:]))
	p.topic = binary.BigEndian.Uint32(src[16:])
	p.n = binary.BigEndian.Uint32(src[20:])
	return p, nil
}
