package stream

import (
	"errors"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

var errNoRecord = errors.New("ProcessValues forwards values of the record in process, and there is none in a punctuation; use Process, or an Output")

// ValueProcessor is what the function given to [Stream.ProcessValues] is set up
// with, once for each task: its stores and its timers, which are methods of
// [state.Task], and its way out, for values under the key of the record in
// process. It must be used by that task's functions only.
type ValueProcessor[K, V any] struct {
	state.Task
	task *task.Task
	node *topology.Node
	port *dsl.Port[dsl.Record[K, V]]
	rec  dsl.Record[K, V] // the key in process; without Meta between records
	now  int64
}

// ProcessValues is Process by a function that can't change keys: what it forwards
// has the key of the record in process, so an operator that relies on keys may
// follow without a repartitioning. In a punctuation there is no record, so it can
// only write to stores, and to an Output.
func (s Stream[K, V]) ProcessValues[VR any](setup func(*ValueProcessor[K, VR]) func(Record[K, V]) error, stores ...state.Declared) Stream[K, VR] {
	in, at := s.def(), dsl.Caller()
	d := &dsl.StreamDef[K, VR]{B: in.B, Rekeyed: in.Rekeyed}
	d.Node = addProcessor(in.B, in.Node, "ProcessValues", at, stores, func(t *task.Task, n *topology.Node) {
		p := &ValueProcessor[K, VR]{task: t, node: n, port: dsl.NewPort[dsl.Record[K, VR]](t, n)}
		p.Task = state.NewTask(t, n, &p.now)
		process := setup(p)
		in.Out(t).Subscribe(n, func(r dsl.Record[K, V]) error {
			p.now = r.Time
			p.rec = dsl.Record[K, VR]{Key: r.Key, KeyNull: r.KeyNull, Time: r.Time, Meta: r.Meta}
			err := state.Failed(n, process(recordOf(&r)))
			p.rec.Meta = nil
			return err
		})
	})
	return streamOf(d)
}

// Forward sends a value on under the key of the record in process, with its time
// and headers. The error is that of an operator after this one; return it. Without
// a record in process it fails.
func (p *ValueProcessor[K, V]) Forward(value V) error {
	return p.emit(value, p.rec.Time)
}

// ForwardAt is Forward with a time of its own.
func (p *ValueProcessor[K, V]) ForwardAt(value V, at time.Time) error {
	return p.emit(value, at.UnixMilli())
}

// ForwardWith is Forward with a time and headers of its own.
func (p *ValueProcessor[K, V]) ForwardWith(value V, at time.Time, headers ...Header) error {
	m := p.task.Meta()
	before := m.Headers
	m.Headers = headers
	err := p.emit(value, at.UnixMilli())
	m.Headers = before
	return err
}

func (p *ValueProcessor[K, V]) emit(value V, at int64) error {
	r := p.rec
	if r.Meta == nil {
		return errNoRecord
	}
	r.Value, r.Time = value, at
	return p.port.Emit(r)
}

// Output opens a further output of the processor, while it is set up. Records sent
// there have keys of their own.
func (p *ValueProcessor[K, V]) Output[KO, VO any](o Output[KO, VO]) *Forwarder[KO, VO] {
	return openOutput(p.task, p.node, o, &p.now)
}

// Global opens a global table to be read, while the processor is set up. It needs
// no listing.
func (p *ValueProcessor[K, V]) Global[KG, VG any](t GlobalTable[KG, VG]) *View[KG, VG] {
	return openView(p.task, t)
}
