package stream

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/cache"
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

// Header is a named piece of bytes that travels with a record. A nil Value is
// Kafka's null.
type Header = record.Header

// TimeDomain is the time that a punctuation goes by.
type TimeDomain uint8

const (
	// StreamTime is the highest timestamp the task has seen. It stands still
	// while no records come.
	StreamTime TimeDomain = iota
	// WallClock is the time of day.
	WallClock
)

// Processor is what the function given to [Stream.Process] is set up with, once
// for each task: its stores, its timers and its way out, for records of KR and
// VR. It must be used by that task's functions only.
type Processor[KR, VR any] struct {
	task *task.Task
	node *topology.Node
	out  *dsl.Port[dsl.Record[KR, VR]]
	null func(KR) bool
	now  int64 // time of the record or punctuation in process
}

// Process hands each record to a function that may keep state in stores, forward
// any number of records, and act as time passes. setup is called once for each
// task and returns the function for its records.
//
//	b.Stream(payments).Process(post, balances).To(postings)
//
// The stores that setup opens must be listed. Stores are shared by the
// processors that list them; a table's store may be listed to be read.
//
// Process changes the key as far as leat knows: before an operator that relies
// on keys, put Repartition. An error that the function returns fails the record;
// [Config.OnError] decides what happens then.
func (s Stream[K, V]) Process[KR, VR any](setup func(*Processor[KR, VR]) func(Record[K, V]) error, stores ...state.Declared) Stream[KR, VR] {
	in, at := s.def(), dsl.Caller()
	d := &dsl.StreamDef[KR, VR]{B: in.B, Rekeyed: "Process at " + at}
	node := topology.Node{Op: "Process", Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}}
	opens := make([]func(*task.Task, string), 0, len(stores))
	for _, declared := range stores {
		st, open := declared.Attach(in.B, at)
		node.Stores = append(node.Stores, st)
		if open != nil {
			opens = append(opens, open)
		}
	}
	d.Node = in.B.Add(node, func(t *task.Task, n *topology.Node) {
		p := &Processor[KR, VR]{task: t, node: n, out: dsl.NewPort[dsl.Record[KR, VR]](t, n), null: nullKey[KR]()}
		for _, open := range opens {
			open(t, n.Label())
		}
		process := setup(p)
		in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
			p.now = r.Time
			m := r.Meta
			err := process(Record[K, V]{
				Key: r.Key, Value: r.Value, Time: time.UnixMilli(r.Time).UTC(), Headers: m.Headers, NoKey: r.KeyNull,
				Topic: m.Topic, Partition: m.Partition, Offset: m.Offset,
			})
			return p.wrap(err)
		})
	})
	return streamOf(d)
}

// wrap names the operator in an error of the user's.
func (p *Processor[KR, VR]) wrap(err error) error {
	if err == nil {
		return nil
	}
	var op *task.OpError
	if errors.As(err, &op) {
		return err // of a store, or of a node after this one
	}
	return &task.OpError{Operator: p.node.Label(), Kind: task.FailedProcess, Err: err}
}

// Store opens a declared store, for setup. If the store isn't listed in the call
// of Process the task doesn't start, and the app ends with an error that says so.
func (p *Processor[KR, VR]) Store[K, V any](s state.Store[K, V]) *state.KeyValue[K, V] {
	for _, st := range p.node.Stores {
		if st.Name != s.Name() {
			continue
		}
		kv, ok := p.task.Opened(s.Name()).(*cache.KeyValue[K, V])
		if !ok {
			break
		}
		return (*state.KeyValue[K, V])(dsl.NewOpenStore(p.task, kv, &p.now))
	}
	p.task.Reject(&BuildError{At: p.node.At, Problem: "the processor opens store " + strconv.Quote(s.Name()) + ", which isn't listed in the call of Process; add it after the function"})
	return nil
}

// Forward sends a record on, with the time and the headers of the record in
// process (in a punctuation: its time and no headers). The error is that of an
// operator after this one; return it.
func (p *Processor[KR, VR]) Forward(key KR, value VR) error {
	return p.ForwardAt(key, value, time.UnixMilli(p.now))
}

// ForwardAt is Forward with a time of its own.
func (p *Processor[KR, VR]) ForwardAt(key KR, value VR, at time.Time) error {
	return p.out.Emit(dsl.Record[KR, VR]{
		Key: key, Value: value, Time: at.UnixMilli(), KeyNull: p.null != nil && p.null(key), Meta: p.task.Meta(),
	})
}

// ForwardRecord is Forward with a time and headers of the record's own. Where a
// record came from (topic, partition and offset) can't be changed. NoKey sends
// it without a key.
func (p *Processor[KR, VR]) ForwardRecord(r Record[KR, VR]) error {
	m := p.task.Meta()
	headers := m.Headers
	m.Headers = r.Headers // for all nodes after this one, which look there
	err := p.out.Emit(dsl.Record[KR, VR]{
		Key: r.Key, Value: r.Value, Time: r.Time.UnixMilli(), KeyNull: r.NoKey || p.null != nil && p.null(r.Key), Meta: m,
	})
	m.Headers = headers
	return err
}

// Punctuate calls f whenever another interval of the chosen time has passed,
// with the time it is. A jump over several intervals is one call. By stream time
// the first call comes with the first record, by wall clock after the first
// interval. The interval is at least a millisecond. Stop the timer to end it.
func (p *Processor[KR, VR]) Punctuate(every time.Duration, by TimeDomain, f func(now time.Time) error) *Timer {
	return &Timer{p.task.Schedule(every, by == WallClock, func(now int64) error {
		p.now = now
		return p.wrap(f(time.UnixMilli(now).UTC()))
	})}
}

// Timer is a punctuation.
type Timer struct{ p *task.Punctuation }

// Stop ends the punctuation. It may be called by the punctuation itself.
func (t *Timer) Stop() { t.p.Stop() }

// StreamTime is the highest timestamp the task has seen; ok is false before the
// first record.
func (p *Processor[KR, VR]) StreamTime() (at time.Time, ok bool) {
	ms := p.task.StreamTime()
	return time.UnixMilli(ms).UTC(), ms >= 0
}

// Now is the wall-clock time, by the clock of [Config.Clock].
func (p *Processor[KR, VR]) Now() time.Time { return p.task.Now() }

// Partition is the partition that the task processes.
func (p *Processor[KR, VR]) Partition() int32 { return p.task.Partition() }

// OnClose calls f when the task ends here.
func (p *Processor[KR, VR]) OnClose(f func() error) { p.task.OnClose(f) }

// Context is done when the task is told to end; use it for calls that wait.
func (p *Processor[KR, VR]) Context() context.Context { return p.task.Context() }

// OpenStore is for leat's own packages: a store of a task, nil if the task has
// none of that name and these types.
func OpenStore[K, V any](t *task.Task, s state.Store[K, V]) *state.KeyValue[K, V] {
	kv, ok := t.Opened(s.Name()).(*cache.KeyValue[K, V])
	if !ok {
		return nil
	}
	now := t.Now().UnixMilli()
	return (*state.KeyValue[K, V])(dsl.NewOpenStore(t, kv, &now))
}
