package broker

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"github.com/leatstream/leat/broker/internal/wire"
)

// meters are the broker's metrics.
type meters struct {
	connections metric.Int64UpDownCounter
	requests    metric.Int64Counter
	bytes       metric.Int64Counter
	on          bool
}

func newMeters(p metric.MeterProvider) (meters, error) {
	on := p != nil
	if !on {
		p = noop.NewMeterProvider()
	}
	m := p.Meter("github.com/leatstream/leat/broker")
	connections, err1 := m.Int64UpDownCounter("leat.broker.connections",
		metric.WithDescription("Open connections, through sockets and inside the process."))
	requests, err2 := m.Int64Counter("leat.broker.requests",
		metric.WithDescription("Requests received, by API key."))
	bytes, err3 := m.Int64Counter("leat.broker.request.size", metric.WithUnit("By"),
		metric.WithDescription("Bytes of the requests received, by API key."))
	return meters{connections, requests, bytes, on}, errors.Join(err1, err2, err3)
}

// count returns h, counting its requests if anybody looks at the counts.
func (m meters) count(h wire.Handler) wire.Handler {
	if !m.on {
		return h
	}
	return counted{h, m}
}

type counted struct {
	wire.Handler
	m meters
}

// Handle counts the request and passes it on.
func (c counted) Handle(ctx context.Context, r *wire.Request) (wire.Reply, bool, error) {
	key := metric.WithAttributes(attribute.Int("messaging.kafka.api_key", int(r.Key)))
	c.m.requests.Add(ctx, 1, key)
	c.m.bytes.Add(ctx, int64(len(r.Body)), key)
	return c.Handler.Handle(ctx, r)
}
