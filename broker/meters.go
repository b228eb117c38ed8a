package broker

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/leatstream/leat/broker/internal/api"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
	"github.com/leatstream/leat/internal/clock"
)

// meters are the broker's metrics that something is told to when it happens.
// Those that are looked up when somebody reads the metrics are in gauges.
type meters struct {
	on       bool
	clock    clock.Clock
	meter    metric.Meter
	observed metric.Registration // nil if nothing is

	connections metric.Int64UpDownCounter
	refused     metric.Int64Counter
	requests    metric.Int64Counter
	bytes       metric.Int64Counter
	time        metric.Float64Histogram
	errors      metric.Int64Counter
	throttled   metric.Float64Counter
	syncTime    metric.Float64Histogram
	syncFailed  metric.Int64Counter
	deleted     metric.Int64Counter
	compacted   metric.Int64Counter
	rebalances  metric.Int64Counter

	byKey [128]metric.MeasurementOption // of the API with that key
}

func newMeters(p metric.MeterProvider, clk clock.Clock) (*meters, error) {
	m := &meters{on: p != nil, clock: clk}
	if !m.on {
		p = noop.NewMeterProvider()
	}
	m.meter = p.Meter("github.com/leatstream/leat/broker")
	for key := range m.byKey {
		name := kmsg.NameForKey(int16(key))
		m.byKey[key] = metric.WithAttributeSet(attribute.NewSet(attribute.String("api", name)))
	}
	return m, m.make()
}

// seconds are the bounds of histograms of times.
var seconds = metric.WithExplicitBucketBoundaries(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

func (m *meters) make() error {
	var errs []error
	count := func(name, unit, what string) metric.Int64Counter {
		c, err := m.meter.Int64Counter("leat.broker."+name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	times := func(name, what string) metric.Float64Histogram {
		h, err := m.meter.Float64Histogram("leat.broker."+name, metric.WithUnit("s"), metric.WithDescription(what), seconds)
		errs = append(errs, err)
		return h
	}
	var err error
	m.connections, err = m.meter.Int64UpDownCounter("leat.broker.connections", metric.WithDescription("Open connections, through sockets and inside the process."))
	errs = append(errs, err)
	m.throttled, err = m.meter.Float64Counter("leat.broker.throttle.time", metric.WithUnit("s"), metric.WithDescription("Time for which quotas had clients wait."))
	errs = append(errs, err)
	m.refused = count("connections.refused", "{connection}", "Connections refused because there were too many.")
	m.requests = count("requests", "{request}", "Requests received, by API.")
	m.bytes = count("request.size", "By", "Bytes of the requests received, by API.")
	m.time = times("request.time", "Time from a request's receipt to its response, by API. Fetches wait for records, members for their groups.")
	m.errors = count("request.errors", "{error}", "Error codes in responses, by API and name; a response can have several.")
	m.syncTime = times("sync.time", "Time that a sync of a partition's files took.")
	m.syncFailed = count("sync.failures", "{sync}", "Syncs that failed; the partition takes no more records then.")
	m.deleted = count("retention.size", "By", "Bytes of segments deleted by retention.")
	m.rebalances = count("rebalances", "{rebalance}", "Rebalances of groups, by their kind: new generations of classic groups, new assignments in others.")
	m.compacted = count("compaction.size", "By", "Bytes that compaction read and kept.")
	return errors.Join(errs...)
}

// count returns h, measuring its requests if anybody looks at the measures.
func (m *meters) count(h wire.Handler) wire.Handler {
	if !m.on {
		return h
	}
	return counted{h, m}
}

// counted measures the requests that pass.
type counted struct {
	wire.Handler
	m *meters
}

// Handle measures the request and passes it on.
func (c counted) Handle(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	began := c.m.clock.Now()
	key := r.Key
	if key < 0 || int(key) >= len(c.m.byKey) {
		key = int16(len(c.m.byKey) - 1) // unknown; the connection will be closed
	}
	c.m.requests.Add(ctx, 1, c.m.byKey[key])
	c.m.bytes.Add(ctx, int64(len(r.Body)), c.m.byKey[key])
	reply, flexible, err := c.Handler.Handle(ctx, r)
	if err != nil {
		c.m.failed(ctx, key, "CONNECTION_CLOSED")
		return reply, flexible, err
	}
	if ready, ok := reply.(wire.Ready); ok {
		c.m.answered(ctx, key, began, ready.Response)
		return reply, flexible, nil
	}
	return timed{reply, c.m, key, began}, flexible, nil
}

// timed is a reply that is measured when it is there.
type timed struct {
	wire.Reply
	m     *meters
	key   int16
	began time.Time
}

// Await waits for the reply.
func (t timed) Await(ctx context.Context) (wire.Response, error) {
	resp, err := t.Reply.Await(ctx)
	if err == nil {
		t.m.answered(ctx, t.key, t.began, resp)
	}
	return resp, err
}

func (m *meters) answered(ctx context.Context, key int16, began time.Time, resp wire.Response) {
	m.time.Record(ctx, m.clock.Now().Sub(began).Seconds(), m.byKey[key])
	if resp == nil {
		return
	}
	api.EachError(resp, func(code int16) {
		name := strconv.Itoa(int(code))
		if e := kerr.TypedErrorForCode(code); e != nil {
			name = e.Message
		}
		m.failed(ctx, key, name)
	})
}

func (m *meters) failed(ctx context.Context, key int16, name string) {
	m.errors.Add(ctx, 1, m.byKey[key], metric.WithAttributes(attribute.String("error", name)))
}

// rebalanced is who is told of the rebalances of groups; nil if nobody wants to
// know.
func (m *meters) rebalanced() func(group.Kind) {
	if !m.on {
		return nil
	}
	return func(k group.Kind) {
		m.rebalances.Add(context.Background(), 1, metric.WithAttributes(attribute.String("kind", k.String())))
	}
}

// syncs is who is told of syncs; nil if nobody wants to know.
func (m *meters) syncs() func(time.Duration, error) {
	if !m.on {
		return nil
	}
	return m.synced
}

// synced is told of each sync of a partition, or of the journal.
func (m *meters) synced(took time.Duration, err error) {
	m.syncTime.Record(context.Background(), took.Seconds())
	if err != nil {
		m.syncFailed.Add(context.Background(), 1)
	}
}

// waited is told for how long quotas have a client wait.
func (m *meters) waited(d time.Duration) { m.throttled.Add(context.Background(), d.Seconds()) }

// What compaction does with bytes, as an attribute.
var (
	bytesRead = metric.WithAttributeSet(attribute.NewSet(attribute.String("what", "read")))
	bytesKept = metric.WithAttributeSet(attribute.NewSet(attribute.String("what", "kept")))
)
