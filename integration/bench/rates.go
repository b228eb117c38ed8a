package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rates measures how many records go in and out in a second: first once without
// counting, then once more.
func (m *measurer) rates(ctx context.Context, p *process) error {
	for _, l := range m.plan.rates {
		for _, counts := range []bool{false, true} {
			if err := m.inAndOut(ctx, p, l, counts); err != nil {
				return fmt.Errorf("records of %s: %w", l.name, err)
			}
		}
	}
	u, err := usageOf(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	m.add("memory after it, MB", u.resident)
	m.add("largest memory, MB", u.peak)
	return nil
}

// inAndOut writes records to a new topic and reads them back.
func (m *measurer) inAndOut(ctx context.Context, p *process, l load, counts bool) error {
	topic := fmt.Sprintf("rates-%d-%d", l.size, time.Now().UnixNano())
	client, err := kgo.NewClient(kgo.SeedBrokers(p.address))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(ctx, int32(m.plan.partitions), 1, nil, topic); err != nil {
		return err
	}
	add := m.add
	if !counts {
		add = func(string, float64) {}
	}
	for _, way := range []struct {
		name string
		do   func(context.Context, string, string, int, load) error
	}{{"produce", write}, {"consume", read}} {
		w, err := begin(p.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if err := way.do(ctx, p.address, topic, m.plan.partitions, l); err != nil {
			return err
		}
		if err := w.end(add, way.name+" "+l.name, l); err != nil {
			return err
		}
	}
	_, err = admin.DeleteTopics(ctx, topic)
	return err
}

// write writes records with acks=all, runs of them to one partition.
func write(ctx context.Context, address, topic string, partitions int, l load) error {
	const run = 100
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchMaxBytes(256<<10), kgo.MaxBufferedRecords(50_000))
	if err != nil {
		return err
	}
	defer client.Close()
	values := letters(l.size)
	var failed atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.CompareAndSwap(nil, &err)
		}
	}
	var chunk []kgo.Record // one allocation for many
	for i := range l.records {
		if len(chunk) == 0 {
			if failed.Load() != nil {
				break
			}
			chunk = make([]kgo.Record, 1000)
		}
		r := &chunk[0]
		chunk = chunk[1:]
		r.Topic, r.Partition, r.Value = topic, int32(i/run%partitions), values[i%len(values)]
		client.Produce(ctx, r, promise)
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// letters are some values of a size; the same in each run.
func letters(size int) [][]byte {
	g := rand.New(rand.NewPCG(20, 26))
	values := make([][]byte, 199)
	for i := range values {
		values[i] = make([]byte, size)
		for j := range values[i] {
			values[i][j] = 'a' + byte(g.IntN(26))
		}
	}
	return values
}

// read reads all records of a topic from its start.
func read(ctx context.Context, address, topic string, _ int, l load) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMinBytes(64<<10), kgo.FetchMaxPartitionBytes(4<<20))
	if err != nil {
		return err
	}
	defer client.Close()
	for left, bytes := l.records, l.records*l.size; left > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) { left, bytes = left-1, bytes-len(r.Value) })
		if left == 0 && bytes != 0 {
			return fmt.Errorf("%d bytes too few came back", bytes)
		}
	}
	return ctx.Err()
}

// work is a piece of work for a broker, being measured.
type work struct {
	pid          int
	broker, self usage
	machine      float64
	began        time.Time
}

func begin(pid int) (w work, err error) {
	w.pid = pid
	if w.broker, err = usageOf(w.pid); err != nil {
		return w, err
	}
	if w.self, err = usageOf(os.Getpid()); err != nil {
		return w, err
	}
	w.machine, err = busy()
	w.began = time.Now()
	return w, err
}

// end tells what the work took.
func (w work) end(add func(string, float64), name string, l load) error {
	seconds := time.Since(w.began).Seconds()
	after, err := begin(w.pid)
	if err != nil {
		return err
	}
	broker, self := after.broker.cpu-w.broker.cpu, after.self.cpu-w.self.cpu
	add(name+", records/s", float64(l.records)/seconds)
	add(name+", broker CPU s per GB", broker/(float64(l.records*l.size)/1e9))
	add(name+", "+ofClient, self/(float64(l.records)/1e6))
	add(name+", "+ofOthers, 100*(after.machine-w.machine-broker-self)/seconds/float64(runtime.NumCPU()))
	return nil
}
