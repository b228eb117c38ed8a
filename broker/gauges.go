package broker

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
)

// MetricDetail is how finely metrics are told apart.
type MetricDetail uint8

const (
	// Totals has one value for all topics.
	Totals MetricDetail = iota
	// ByTopic has a value for each topic: as many as there are topics.
	ByTopic
)

// gauges are the metrics that are looked up when somebody reads them.
type gauges struct {
	recordsIn, bytesIn, bytesOut metric.Int64ObservableCounter
	size                         metric.Int64ObservableGauge
	topics, partitions, broken   metric.Int64ObservableGauge
	groups, txns                 metric.Int64ObservableGauge
}

// observe has the gauges looked up whenever metrics are read.
func (b *Broker) observe() error {
	m := b.meters
	if !m.on {
		return nil
	}
	var errs []error
	counter := func(name, unit, what string) metric.Int64ObservableCounter {
		c, err := m.meter.Int64ObservableCounter("leat.broker."+name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	gauge := func(name, unit, what string) metric.Int64ObservableGauge {
		c, err := m.meter.Int64ObservableGauge("leat.broker."+name, metric.WithUnit(unit), metric.WithDescription(what))
		errs = append(errs, err)
		return c
	}
	g := &gauges{
		recordsIn:  counter("records.in", "{record}", "Records appended."),
		bytesIn:    counter("bytes.in", "By", "Bytes of record batches appended, as they are stored."),
		bytesOut:   counter("bytes.out", "By", "Bytes of record batches fetched."),
		size:       gauge("log.size", "By", "Bytes of records on disk, without indexes."),
		topics:     gauge("topics", "{topic}", "Topics, internal ones too."),
		partitions: gauge("partitions", "{partition}", "Partitions of all topics."),
		broken:     gauge("partitions.failed", "{partition}", "Partitions that take no records, because a write or a sync failed."),
		groups:     gauge("groups", "{group}", "Groups, by type and state."),
		txns:       gauge("transactions", "{transaction}", "Transactional ids, by state of their transaction."),
	}
	reg, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		b.observeTopics(g, o)
		b.observeGroups(ctx, g, o)
		b.observeTxns(ctx, g, o)
		return nil
	}, g.recordsIn, g.bytesIn, g.bytesOut, g.size, g.topics, g.partitions, g.broken, g.groups, g.txns)
	m.observed = reg
	return errors.Join(append(errs, err)...)
}

func (b *Broker) observeTopics(g *gauges, o metric.Observer) {
	img := b.catalog.Image()
	total, size, broken := b.catalog.Dropped(), int64(0), int64(0)
	for _, t := range img.Topics() {
		var sum int64
		for _, log := range t.Logs {
			sum += log.Size()
			if log.Trouble() != nil {
				broken++
			}
		}
		size += sum
		traffic := t.Traffic.Load()
		total = total.Plus(traffic)
		if b.cfg.MetricDetail == ByTopic {
			topic := metric.WithAttributes(attribute.String("topic", t.Name))
			o.ObserveInt64(g.size, sum, topic)
			g.traffic(o, traffic, topic)
		}
	}
	if b.cfg.MetricDetail != ByTopic {
		o.ObserveInt64(g.size, size)
		g.traffic(o, total)
	}
	o.ObserveInt64(g.topics, int64(len(img.Topics())))
	o.ObserveInt64(g.partitions, int64(img.Partitions()))
	o.ObserveInt64(g.broken, broken)
}

func (g *gauges) traffic(o metric.Observer, t partition.Moved, of ...metric.ObserveOption) {
	o.ObserveInt64(g.recordsIn, t.RecordsIn, of...)
	o.ObserveInt64(g.bytesIn, t.BytesIn, of...)
	o.ObserveInt64(g.bytesOut, t.BytesOut, of...)
}

// kindState is a group's type and state.
type kindState struct{ kind, state string }

func (b *Broker) observeGroups(ctx context.Context, g *gauges, o metric.Observer) {
	// Each coordinator counts its own, since they run at the same time.
	counts := make(chan map[kindState]int64, 1)
	counts <- map[kindState]int64{}
	for _, f := range b.groups.Each(func(gr *group.Group) {
		m := <-counts
		m[kindState{gr.Kind().String(), gr.StateName()}]++
		counts <- m
	}) {
		if _, err := f.Await(ctx); err != nil {
			return // the broker closes
		}
	}
	for ks, n := range <-counts {
		o.ObserveInt64(g.groups, n, metric.WithAttributes(attribute.String("type", ks.kind), attribute.String("state", ks.state)))
	}
}

func (b *Broker) observeTxns(ctx context.Context, g *gauges, o metric.Observer) {
	counts := map[string]int64{}
	for _, f := range b.txns.All() {
		all, err := f.Await(ctx)
		if err != nil {
			return // the broker closes
		}
		for _, t := range all {
			counts[t.State.String()]++
		}
	}
	for state, n := range counts {
		o.ObserveInt64(g.txns, n, metric.WithAttributes(attribute.String("state", state)))
	}
}
