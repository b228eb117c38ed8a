// Package integration runs whole applications against whole brokers: the
// embedded one, and a real Apache Kafka where there is one.
package integration

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/stream"
)

// cluster is what a scenario runs on.
type cluster struct {
	name    string
	brokers []string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	login   []kgo.Opt // of the test's own clients, where one is needed
}

// each runs a scenario on the embedded broker and on a real one.
func each(t *testing.T, scenario func(*testing.T, cluster)) {
	t.Run("embedded", func(t *testing.T) {
		b, err := broker.Start(broker.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		scenario(t, cluster{"embedded", []string{b.Addr()}, b.Dial, nil})
	})
	t.Run("kafka", func(t *testing.T) {
		addr := os.Getenv("KAFKA_ADDR")
		if addr == "" {
			t.Skip("KAFKA_ADDR is not set; `make kafka` starts a real broker and sets it")
		}
		scenario(t, cluster{"kafka", strings.Split(addr, ","), nil, nil})
	})
}

var names atomic.Int64

// unique is a name that no other test, and no other run against the same
// cluster, uses.
func unique(prefix string) string {
	return fmt.Sprintf("%s-%d-%d", prefix, os.Getpid(), names.Add(1))
}

// client returns a client that ends with the test.
func (c cluster) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append(append(opts, kgo.SeedBrokers(c.brokers...)), c.login...)
	if c.dial != nil {
		opts = append(opts, kgo.Dialer(c.dial))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// create makes topics that keep their records however old they are: a test that
// takes its time would otherwise lose those of a backlog to the broker's retention.
func (c cluster) create(t *testing.T, partitions int32, topics ...string) {
	t.Helper()
	forever := "-1"
	ctx := timeout(t, 30*time.Second)
	resp, err := kadm.NewClient(c.client(t)).CreateTopics(ctx, partitions, 1, map[string]*string{"retention.ms": &forever}, topics...)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		t.Fatalf("create %v: %v", topics, err)
	}
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// produce writes values without keys, spread over the partitions.
func (c cluster) produce(t *testing.T, topic string, values ...string) {
	t.Helper()
	cl := c.client(t, kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	recs := make([]*kgo.Record, len(values))
	for i, v := range values {
		recs[i] = &kgo.Record{Topic: topic, Value: []byte(v)}
	}
	if err := cl.ProduceSync(timeout(t, 30*time.Second), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// endOffsets are the ends of a topic's partitions. A topic that was made a moment
// ago may have no leader yet: that is asked again.
func endOffsets(ctx context.Context, t *testing.T, admin *kadm.Client, topics ...string) kadm.ListedOffsets {
	t.Helper()
	for {
		ends, err := admin.ListEndOffsets(ctx, topics...)
		if err == nil {
			err = ends.Error()
		}
		if err == nil {
			return ends
		}
		if !kerr.IsRetriable(err) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// table is the last value of each key of a topic, as it is now.
func (c cluster) table(t *testing.T, topic string) map[string][]byte {
	t.Helper()
	ctx := timeout(t, 60*time.Second)
	cl := c.client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends := endOffsets(ctx, t, kadm.NewClient(cl), topic)
	left := int64(0)
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	rows := map[string][]byte{}
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			if r.Value == nil {
				delete(rows, string(r.Key))
			} else {
				rows[string(r.Key)] = r.Value
			}
		})
	}
	return rows
}

// app is a running instance.
type app struct {
	*stream.App
	stop context.CancelFunc
	done chan error
}

// start runs an instance until it is stopped or the test ends.
func (c cluster) start(t *testing.T, topo *stream.Topology, id, dir string) *app {
	t.Helper()
	a, err := stream.New(topo, stream.Config{
		ApplicationID: id, Brokers: c.brokers, Dial: c.dial, StateDir: dir,
		CommitInterval: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	run := &app{a, stop, make(chan error, 1)}
	go func() { run.done <- a.Run(ctx) }()
	t.Cleanup(func() { run.end(t) })
	return run
}

// end stops the instance and waits for it.
func (a *app) end(t *testing.T) {
	t.Helper()
	a.stop()
	select {
	case err, ok := <-a.done:
		if ok && err != nil {
			t.Errorf("run: %v", err)
		}
		if ok {
			close(a.done)
		}
	case <-time.After(60 * time.Second):
		t.Fatal("the app doesn't end")
	}
}

// eventually polls a condition of a system that has its own pace.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still not so after 90 s: %s", what)
		}
	}
}
