package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// latencies measures how long it takes until a record of 100 B is acknowledged,
// in two ways: connections that each wait for one record before they send the
// next, and records that come at a steady rate, whatever became of those before.
func (m *measurer) latencies(ctx context.Context, p *process) error {
	topic := fmt.Sprintf("latency-%d", time.Now().UnixNano())
	client, err := kgo.NewClient(kgo.SeedBrokers(p.address))
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, int32(m.plan.partitions), 1, nil, topic); err != nil {
		return err
	}
	for _, way := range []struct {
		name string
		do   func(context.Context, string, string, *latency) error
	}{
		{fmt.Sprintf("%d connections, one record each", m.plan.connected), m.closed},
		{fmt.Sprintf("%d records/s", m.plan.perSecond), m.open},
	} {
		l := &latency{counted: time.Now().Add(m.plan.warmUp)}
		l.until = l.counted.Add(m.plan.latency)
		before, err := usageOf(p.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if err := way.do(ctx, p.address, topic, l); err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		after, err := usageOf(p.cmd.Process.Pid)
		if err != nil {
			return err
		}
		l.tell(m.add, way.name)
		m.add(way.name+": broker CPU µs per record", (after.cpu-before.cpu)*1e6/float64(max(l.all, 1)))
	}
	return ctx.Err()
}

// latency collects how long acknowledgements took, of records that were sent
// between two moments.
type latency struct {
	counted, until time.Time

	mu    sync.Mutex
	took  []time.Duration
	all   int // records, with those that don't count
	error error
}

// note takes a record into account that was to be sent at a time.
func (l *latency) note(intended time.Time, err error) {
	took := time.Since(intended)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all++
	switch {
	case err != nil:
		l.error = err
	case !intended.Before(l.counted):
		l.took = append(l.took, took)
	}
}

func (l *latency) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.error
}

// tell tells the quantiles.
func (l *latency) tell(add func(string, float64), name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	slices.Sort(l.took)
	add(name+": records/s", float64(len(l.took))/l.until.Sub(l.counted).Seconds())
	if len(l.took) == 0 {
		return
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}} {
		at := l.took[int(q.at*float64(len(l.took)-1))]
		add(name+": "+q.name+", ms", float64(at.Microseconds())/1e3)
	}
}

// impatient is a client that doesn't wait for more records to send.
func impatient(address string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(address), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
}

// closed sends over several connections, one record at a time.
func (m *measurer) closed(ctx context.Context, address, topic string, l *latency) error {
	values := letters(100)
	group, ctx := errgroup.WithContext(ctx)
	for c := range m.plan.connected {
		group.Go(func() error {
			client, err := impatient(address)
			if err != nil {
				return err
			}
			defer client.Close()
			for i := 0; ; i++ {
				at := time.Now()
				if at.After(l.until) {
					return nil
				}
				r := &kgo.Record{Topic: topic, Partition: int32(c % m.plan.partitions), Value: values[i%len(values)]}
				err := client.ProduceSync(ctx, r).FirstErr()
				if l.note(at, err); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// open sends at a steady rate. A record's time counts from the moment when it
// was to be sent: if the sender is late because something was stuck, that counts
// too, as it would for whom the record came from.
func (m *measurer) open(ctx context.Context, address, topic string, l *latency) error {
	client, err := impatient(address)
	if err != nil {
		return err
	}
	defer client.Close()
	values := letters(100)
	began, pause := time.Now(), time.Second/time.Duration(m.plan.perSecond)
	for i := 0; l.failed() == nil; i++ {
		at := began.Add(time.Duration(i) * pause)
		if at.After(l.until) {
			break
		}
		if left := time.Until(at); left > 0 {
			nap(left)
		}
		r := &kgo.Record{Topic: topic, Partition: int32(i % m.plan.partitions), Value: values[i%len(values)]}
		client.Produce(ctx, r, func(_ *kgo.Record, err error) { l.note(at, err) })
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	return l.failed()
}
