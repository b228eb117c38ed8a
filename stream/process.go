package stream

import (
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

// Record is a record as a processor sees it.
type Record[K, V any] struct {
	Key     K
	Value   V
	Time    time.Time
	Headers []Header
	// NoKey says that the record has no key; Key is then the zero K.
	NoKey bool
	// Topic, Partition and Offset are where the record that the task is
	// processing came from; the topic may be a repartition topic.
	Topic     string
	Partition int32
	Offset    int64
}

// recordOf is a record as its function sees it.
func recordOf[K, V any](r *dsl.Record[K, V]) Record[K, V] {
	m := r.Meta
	return Record[K, V]{
		Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.Time).UTC(), Headers: m.Headers, NoKey: r.KeyNull,
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset,
	}
}

// Header is a named piece of bytes that travels with a record. A nil Value is
// Kafka's null.
type Header = record.Header

// TimeDomain is the time that a punctuation goes by: [StreamTime] or [WallClock].
type TimeDomain = state.TimeDomain

// The times that a punctuation may go by.
const (
	// StreamTime is the highest timestamp the task has seen. It stands still
	// while no records come.
	StreamTime = state.StreamTime
	// WallClock is the time of day.
	WallClock = state.WallClock
)

// Timer is a punctuation.
type Timer = state.Timer

// Processor is what the function given to [Stream.Process] is set up with, once
// for each task: its stores and its timers, which are methods of [state.Task], and
// its way out, for records of KR and VR. It must be used by that task's functions
// only.
type Processor[KR, VR any] struct {
	state.Task
	task *task.Task
	node *topology.Node
	out  Forwarder[KR, VR]
	now  int64 // time of the record or punctuation in process
}

// Process hands each record to a function that may keep state in stores, forward
// any number of records, and act as time passes. setup is called once for each
// task and returns the function for its records.
//
//	b.Stream(payments).Process(post, balances).To(postings)
//
// The stores that setup opens must be listed. Stores are shared by the
// processors that list them; the store of a table, of a windowed aggregation or of
// another operator may be listed to be read.
//
// Process changes the key as far as leat knows: before an operator that relies
// on keys, put Repartition, or use ProcessValues. An error that the function
// returns fails the record; [Config.OnError] decides what happens then.
func (s Stream[K, V]) Process[KR, VR any](setup func(*Processor[KR, VR]) func(Record[K, V]) error, stores ...state.Declared) Stream[KR, VR] {
	in, at := s.def(), dsl.Caller()
	d := &dsl.StreamDef[KR, VR]{B: in.B, Rekeyed: "Process at " + at}
	d.Node = addProcessor(in.B, in.Node, "Process", at, stores, func(t *task.Task, n *topology.Node) {
		p := &Processor[KR, VR]{task: t, node: n}
		p.Task = state.NewTask(t, n, &p.now)
		p.out = newForwarder(t, dsl.NewPort[dsl.Record[KR, VR]](t, n), &p.now)
		process := setup(p)
		in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
			p.now = r.Time
			return state.Failed(n, process(recordOf(&r)))
		})
	})
	return streamOf(d)
}

// addProcessor adds a node with a function of the user's and the stores it lists.
func addProcessor(b *dsl.Builder, in *topology.Node, op, at string, stores []state.Declared, mk func(*task.Task, *topology.Node)) *topology.Node {
	node := topology.Node{Op: op, Kind: topology.Processor, At: at, Inputs: []*topology.Node{in}}
	open := state.AttachAll(b, &node, stores)
	return b.Add(node, func(t *task.Task, n *topology.Node) {
		open(t, n.Label())
		mk(t, n)
	})
}

// Forward sends a record on, with the time and the headers of the record in
// process (in a punctuation: its time and no headers). The error is that of an
// operator after this one; return it.
func (p *Processor[KR, VR]) Forward(key KR, value VR) error { return p.out.Forward(key, value) }

// ForwardAt is Forward with a time of its own.
func (p *Processor[KR, VR]) ForwardAt(key KR, value VR, at time.Time) error {
	return p.out.ForwardAt(key, value, at)
}

// ForwardRecord is Forward with a time and headers of the record's own. Where a
// record came from (topic, partition and offset) can't be changed. NoKey sends
// it without a key.
func (p *Processor[KR, VR]) ForwardRecord(r Record[KR, VR]) error { return p.out.ForwardRecord(r) }

// Output opens a further output of the processor, while it is set up.
func (p *Processor[KR, VR]) Output[K, V any](o Output[K, V]) *Forwarder[K, V] {
	return openOutput(p.task, p.node, o, &p.now)
}

// Global opens a global table to be read, while the processor is set up. It needs
// no listing.
func (p *Processor[KR, VR]) Global[K, V any](t GlobalTable[K, V]) *View[K, V] {
	return openView(p.task, t)
}
