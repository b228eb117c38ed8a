// Package telemetry publishes the figures of an instance as OpenTelemetry
// metrics.
//
// The instance counts in plain integers, whether anybody looks or not. This
// package reads them when a meter collects, so that measuring costs nothing per
// record, and nothing at all without a meter provider. It keeps no state and
// knows none of the packages it reports on.
package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// Scope is the name of the instrumentation scope.
const Scope = "github.com/leatstream/leat"

// Snapshot are the figures of an instance at one moment. Counts begin when the
// instance starts.
type Snapshot struct {
	Records        int64         // processed
	ProcessTime    time.Duration // that workers spent on them
	Commits        int64
	CommitFailures int64
	CommitTime     time.Duration // of those that succeeded
	Tasks          []Task        // that it has now
}

// Task are the figures of one task. Its counts begin when it is assigned.
type Task struct {
	Name                   string
	Records                int64
	Buffered               int64
	StreamTime             int64 // milliseconds since the epoch, -1 for none
	Restored, RestoreTotal int64 // changelog offsets passed, and to pass
	StateBytes             int64
	Lags                   []Lag
	Drops                  []Drop
}

// Lag is how many records of a partition aren't committed as processed.
type Lag struct {
	Topic     string
	Partition int32
	Records   int64
}

// Drop counts records that an operator left out for a reason.
type Drop struct {
	Operator, Reason string
	Records          int64
}

// instruments are what is published.
type instruments struct {
	records, commits, commitFailures metric.Int64ObservableCounter
	processTime, commitTime          metric.Float64ObservableCounter
	taskRecords, dropped, restored   metric.Int64ObservableCounter
	buffered, streamTime, remaining  metric.Int64ObservableGauge
	state, lag                       metric.Int64ObservableGauge
}

// Register publishes what snapshot returns, for the application app, until the
// function it returns is called. Without a provider it does nothing.
func Register(provider metric.MeterProvider, app string, snapshot func() Snapshot) (unregister func(), err error) {
	if provider == nil {
		return func() {}, nil
	}
	meter := provider.Meter(Scope)
	in, all, err := newInstruments(meter)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		in.observe(o, attribute.String("leat.application", app), snapshot())
		return nil
	}, all...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	return func() { _ = registration.Unregister() }, nil
}

// maker makes instruments and keeps the first error.
type maker struct {
	meter metric.Meter
	all   []metric.Observable
	err   error
}

func (m *maker) counter(name, unit, what string) metric.Int64ObservableCounter {
	i, err := m.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(what))
	m.add(i, err)
	return i
}

func (m *maker) seconds(name, what string) metric.Float64ObservableCounter {
	i, err := m.meter.Float64ObservableCounter(name, metric.WithUnit("s"), metric.WithDescription(what))
	m.add(i, err)
	return i
}

func (m *maker) gauge(name, unit, what string) metric.Int64ObservableGauge {
	i, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(what))
	m.add(i, err)
	return i
}

func (m *maker) add(i metric.Observable, err error) {
	m.all = append(m.all, i)
	if m.err == nil {
		m.err = err
	}
}

func newInstruments(meter metric.Meter) (*instruments, []metric.Observable, error) {
	m := &maker{meter: meter}
	in := &instruments{
		records:        m.counter("leat.records", "{record}", "Records processed by this instance"),
		processTime:    m.seconds("leat.process.time", "Time that workers spent on records; divided by leat.records it is the mean of one"),
		commits:        m.counter("leat.commits", "{commit}", "Commits that succeeded"),
		commitFailures: m.counter("leat.commit.failures", "{commit}", "Commits that failed or were put off"),
		commitTime:     m.seconds("leat.commit.time", "Time that commits took; divided by leat.commits it is the mean of one"),
		taskRecords:    m.counter("leat.task.records", "{record}", "Records processed by a task since it was assigned"),
		dropped:        m.counter("leat.task.dropped", "{record}", "Records left out, by operator and reason"),
		restored:       m.counter("leat.task.restored", "{record}", "Changelog offsets that restoring a task has passed"),
		remaining:      m.gauge("leat.task.restore.remaining", "{record}", "Changelog offsets that restoring a task has still to pass"),
		buffered:       m.gauge("leat.task.buffered", "{record}", "Records fetched that wait for their task"),
		streamTime:     m.gauge("leat.task.stream.time", "ms", "Highest timestamp a task has seen, since the epoch"),
		state:          m.gauge("leat.task.state.size", "By", "Size of a task's state"),
		lag:            m.gauge("leat.partition.lag", "{record}", "Records of a partition that aren't committed as processed"),
	}
	return in, m.all, m.err
}

// observe reports s.
func (in *instruments) observe(o metric.Observer, app attribute.KeyValue, s Snapshot) {
	of := metric.WithAttributes(app)
	o.ObserveInt64(in.records, s.Records, of)
	o.ObserveFloat64(in.processTime, s.ProcessTime.Seconds(), of)
	o.ObserveInt64(in.commits, s.Commits, of)
	o.ObserveInt64(in.commitFailures, s.CommitFailures, of)
	o.ObserveFloat64(in.commitTime, s.CommitTime.Seconds(), of)
	for _, t := range s.Tasks {
		in.observeTask(o, app, t)
	}
}

func (in *instruments) observeTask(o metric.Observer, app attribute.KeyValue, t Task) {
	name := attribute.String("leat.task", t.Name)
	of := metric.WithAttributes(app, name)
	o.ObserveInt64(in.taskRecords, t.Records, of)
	o.ObserveInt64(in.buffered, t.Buffered, of)
	o.ObserveInt64(in.restored, t.Restored, of)
	o.ObserveInt64(in.remaining, t.RestoreTotal-t.Restored, of)
	o.ObserveInt64(in.state, t.StateBytes, of)
	if t.StreamTime >= 0 {
		o.ObserveInt64(in.streamTime, t.StreamTime, of)
	}
	for _, l := range t.Lags {
		o.ObserveInt64(in.lag, l.Records, metric.WithAttributes(app, name,
			attribute.String("topic", l.Topic), attribute.Int("partition", int(l.Partition))))
	}
	for _, d := range t.Drops {
		o.ObserveInt64(in.dropped, d.Records, metric.WithAttributes(app, name,
			attribute.String("operator", d.Operator), attribute.String("reason", d.Reason)))
	}
}
