package stream

import (
	"fmt"
	"strconv"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Output names a further output of a processor, beside its main one, and the types
// of its records. It is declared once, as a package variable. The processor sends
// records to it through what Processor.Output opens; [Stream.Output] is the stream
// of them.
//
//	var refunds = stream.NewOutput[string, Refund]("refunds")
//
// It is what forwarding to a child by its name is in Kafka Streams, with types.
type Output[K, V any] struct{ name string }

// NewOutput declares an output. The name is unique in its processor.
func NewOutput[K, V any](name string) Output[K, V] { return Output[K, V]{name} }

// key is where a task keeps the port of an output.
func (o Output[K, V]) key(n *topology.Node) string {
	return "\x00output " + strconv.Itoa(n.ID) + " " + o.name
}

// Forwarder sends records on from a processor.
type Forwarder[K, V any] struct {
	task *task.Task
	port *dsl.Port[dsl.Record[K, V]]
	null func(K) bool
	now  *int64
}

func newForwarder[K, V any](t *task.Task, port *dsl.Port[dsl.Record[K, V]], now *int64) Forwarder[K, V] {
	return Forwarder[K, V]{t, port, null.Test[K](), now}
}

// Forward sends a record on, with the time and the headers of the record in
// process (in a punctuation: its time and no headers). The error is that of an
// operator after this one; return it.
func (f *Forwarder[K, V]) Forward(key K, value V) error {
	return f.emit(key, value, *f.now, false)
}

// ForwardAt is Forward with a time of its own.
func (f *Forwarder[K, V]) ForwardAt(key K, value V, at time.Time) error {
	return f.emit(key, value, at.UnixMilli(), false)
}

// ForwardRecord is Forward with a time and headers of the record's own. NoKey sends
// it without a key.
func (f *Forwarder[K, V]) ForwardRecord(r Record[K, V]) error {
	m := f.task.Meta()
	headers := m.Headers
	m.Headers = r.Headers // for all nodes after this one, which look there
	err := f.emit(r.Key, r.Value, r.Time.UnixMilli(), r.NoKey)
	m.Headers = headers
	return err
}

func (f *Forwarder[K, V]) emit(key K, value V, at int64, noKey bool) error {
	return f.port.Emit(dsl.Record[K, V]{
		Key: key, Value: value, Time: at, KeyNull: noKey || f.null != nil && f.null(key), Meta: f.task.Meta(),
	})
}

// openOutput makes the port of an output, to which its stream is hung later. What
// is sent to one without a stream goes nowhere.
func openOutput[K, V any](t *task.Task, n *topology.Node, o Output[K, V], now *int64) *Forwarder[K, V] {
	port, ok := t.Opened(o.key(n)).(*dsl.Port[dsl.Record[K, V]])
	if !ok {
		port = dsl.FreePort[dsl.Record[K, V]](t)
		t.Keep(o.key(n), port)
	}
	f := newForwarder(t, port, now)
	return &f
}

// Output is the stream of what the processor that made s sends to one of its
// outputs. s must be the result of Process or ProcessValues itself.
//
//	posted := b.Stream(payments).Process(post, balances)
//	posted.To(postings)
//	posted.Output(refunds).To(refunded)
func (s Stream[K, V]) Output[KO, VO any](o Output[KO, VO]) Stream[KO, VO] {
	in, at := s.def(), dsl.Caller()
	if op := in.Node.Op; op != "Process" && op != "ProcessValues" {
		in.B.Fail(at, "%s has no outputs beside its stream; call Output of the result of Process or ProcessValues", in.Node.Label())
	}
	d := &dsl.StreamDef[KO, VO]{B: in.B, Rekeyed: "Process at " + in.Node.At}
	d.Node = in.B.Add(topology.Node{Op: "Output", Name: o.name, Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}},
		func(t *task.Task, n *topology.Node) {
			port, ok := t.Opened(o.key(in.Node)).(*dsl.Port[dsl.Record[KO, VO]])
			if !ok {
				t.Reject(&BuildError{At: at, Problem: fmt.Sprintf("%s opens no output %q of these types; call Output of the processor while it is set up", in.Node.Label(), o.name)})
				port = dsl.FreePort[dsl.Record[KO, VO]](t) // for the nodes after it
			}
			t.SetPort(n.ID, port)
		})
	return streamOf(d)
}
