package integration

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// TestScenarioReplayInOrder works off a backlog of ten days. Every partition is in
// order, but they are of very different sizes, so that some tasks are through it
// when others have hardly begun. Counted in windows of an hour, without any grace,
// behind a repartition topic: no record is late, as none would have been at the
// time.
func TestScenarioReplayInOrder(t *testing.T) {
	each(t, func(t *testing.T, c cluster) {
		const partitions, hours = 6, 240
		var (
			in    = topic.New(unique("readings"), serde.String, serde.String)
			by    = topic.New("by-kind", serde.String, serde.String)
			out   = topic.New(unique("hourly"), serde.String, serde.Int64)
			store = state.New("hourly", serde.String, serde.Int64)
		)
		topo, err := stream.Build(func(b *stream.Builder) {
			counts := b.Stream(in).
				GroupBy(func(_, kind string) string { return kind }, by).
				WindowedBy(window.Tumbling(time.Hour)).
				Count(store)
			counts.Apply(stream.FromTable).
				SelectKey(func(k window.Key[string], _ int64) string { return k.String() }).
				To(out)
		})
		if err != nil {
			t.Fatal(err)
		}
		c.create(t, partitions, in.Name(), out.Name())
		want := c.backlog(t, in.Name(), partitions, hours)

		app := unique("replay")
		run := func() (stop func() map[string]int64) {
			a, err := stream.New(topo, stream.Config{ApplicationID: app, Brokers: c.brokers, Dial: c.dial, StateDir: t.TempDir(), CommitInterval: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- a.Run(ctx) }()
			return func() map[string]int64 {
				dropped := map[string]int64{}
				for _, task := range a.Status().Tasks {
					for why, n := range task.Dropped {
						dropped[why] += n
					}
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				return dropped
			}
		}
		first, second := run(), run()
		c.until(t, out.Name(), want/4) // in the middle of it one hands over to the other
		dropped := []map[string]int64{first()}
		c.until(t, out.Name(), want)
		dropped = append(dropped, second())
		for i, d := range dropped {
			if len(d) > 0 {
				t.Errorf("instance %d dropped %v", i, d)
			}
		}
		got := int64(0)
		for _, v := range c.table(t, out.Name()) {
			n, err := serde.Int64.Decode(v)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
		if got != want {
			t.Errorf("%d records are counted, want %d", got, want)
		}
	})
}

// backlog writes records of some hours to every partition: ten an hour to the last
// one, twice as many to the one before, and so on.
func (c cluster) backlog(t *testing.T, topic string, partitions, hours int) (n int64) {
	t.Helper()
	cl := c.client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	begin := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	var recs []*kgo.Record
	for p := range partitions {
		perHour := 10 << (partitions - 1 - p)
		for i := range perHour * hours {
			recs = append(recs, &kgo.Record{
				Topic: topic, Partition: int32(p), Key: []byte(strconv.Itoa(i)),
				Value:     fmt.Appendf(nil, "kind %d", i%7),
				Timestamp: begin.Add(time.Duration(i) * time.Hour / time.Duration(perHour)).Truncate(time.Millisecond),
			})
		}
	}
	if err := cl.ProduceSync(timeout(t, time.Minute), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return int64(len(recs))
}

// until waits until the counts in a table add up to n.
func (c cluster) until(t *testing.T, topic string, n int64) {
	t.Helper()
	ctx := timeout(t, 2*time.Minute)
	cl := c.client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	rows := map[string]int64{}
	sum := int64(0)
	for sum < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d are counted: %v", sum, n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			v, err := serde.Int64.Decode(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			sum += v - rows[string(r.Key)]
			rows[string(r.Key)] = v
		})
	}
}
