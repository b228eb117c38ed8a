package mirror

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/client"
)

// cluster is a broker that can fail, and a client of it.
type cluster struct {
	*broker.Broker
	t      *testing.T
	faults *broker.Faults
	client *kgo.Client
	admin  *kadm.Client
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{t: t, faults: new(broker.Faults)}
	var err error
	if c.Broker, err = broker.Start(broker.Config{Faults: c.faults, DisableAutoCreate: true}); err != nil {
		t.Fatal(err)
	}
	c.client = c.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	c.admin = kadm.NewClient(c.client)
	return c
}

func (c *cluster) connect(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	k, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Addr()), kgo.Dialer(c.Dial), kgo.ClientID("test")}, opts...)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return k
}

func (c *cluster) end() {
	c.client.Close()
	if err := c.Close(); err != nil {
		c.t.Error(err)
	}
}

func (c *cluster) config() client.Config {
	return client.Config{Brokers: []string{c.Addr()}, Dial: c.Dial}
}

func (c *cluster) create(topic string, partitions int, configs ...broker.TopicConfig) {
	c.t.Helper()
	if err := c.CreateTopic(c.t.Context(), topic, partitions, configs...); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) write(records ...*kgo.Record) {
	c.t.Helper()
	if err := c.client.ProduceSync(c.t.Context(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// numbered is records with values that count, in turn to two partitions.
func numbered(topic string, lo, hi int) []*kgo.Record {
	var all []*kgo.Record
	for i := lo; i < hi; i++ {
		all = append(all, &kgo.Record{Topic: topic, Partition: int32(i % 2), Value: fmt.Append(nil, i)})
	}
	return all
}

// read is what is committed in a topic, by partition.
func (c *cluster) read(topic string) map[int32][]*kgo.Record {
	c.t.Helper()
	ends, err := c.admin.ListCommittedOffsets(c.t.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	k := c.connect(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer k.Close()
	left := 0
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left++
		}
	})
	got := map[int32][]*kgo.Record{}
	for left > 0 {
		fetches := k.PollFetches(c.t.Context())
		if err := fetches.Err(); err != nil {
			c.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				got[r.Partition] = append(got[r.Partition], r)
			}
			if end, _ := ends.Lookup(topic, r.Partition); r.Offset+1 == end.Offset {
				left--
			}
		})
	}
	return got
}

// text is records in a form that can be compared.
func text(records map[int32][]*kgo.Record) map[int32][]string {
	all := map[int32][]string{}
	for p, rs := range records {
		for _, r := range rs {
			key := "nil"
			if r.Key != nil {
				key = fmt.Sprintf("%q", r.Key)
			}
			value := "nil"
			if r.Value != nil {
				value = fmt.Sprintf("%q", r.Value)
			}
			all[p] = append(all[p], fmt.Sprintf("%s=%s %v %d", key, value, r.Headers, r.Timestamp.UnixMilli()))
		}
	}
	return all
}

func same(t *testing.T, source, target map[int32][]*kgo.Record) {
	t.Helper()
	want, got := text(source), text(target)
	for p := range want {
		if !slices.Equal(got[p], want[p]) {
			t.Errorf("partition %d: the target has %d records, the source %d:\n%s", p, len(got[p]), len(want[p]), firstDifference(got[p], want[p]))
		}
	}
	if len(got) > len(want) {
		t.Errorf("the target has %d partitions with records, the source %d", len(got), len(want))
	}
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("from record %d on: got %v, want %v", i, got[min(i, len(got)):min(i+3, len(got))], want[min(i, len(want)):min(i+3, len(want))])
		}
	}
	return ""
}

// mirrorOnce runs a mirror to its end.
func mirrorOnce(t *testing.T, cfg Config) error {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.Run(t.Context())
}

// inBubble runs a test with two clusters under virtual time.
func inBubble(t *testing.T, f func(t *testing.T, source, target *cluster, cfg Config)) {
	synctest.Test(t, func(t *testing.T) {
		source, target := newCluster(t), newCluster(t)
		defer source.end()
		defer target.end()
		f(t, source, target, Config{
			Name: "m", Source: source.config(), Target: target.config(),
			Topics: []string{"t.*"}, Exclude: []string{"t-not"}, Groups: []string{".*"}, Once: true,
		})
	})
}

func TestMirror_KeepsRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, source, target *cluster, cfg Config) {
		source.create("t", 3, broker.TopicConfig{Name: "retention.ms", Value: "-1"}, broker.TopicConfig{Name: "message.timestamp.type", Value: "LogAppendTime"})
		source.create("t-not", 1)
		source.create("other", 1)
		source.write(
			&kgo.Record{Topic: "t", Partition: 2, Key: []byte("k"), Value: []byte("v"), Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a"}}},
			&kgo.Record{Topic: "t", Partition: 2, Key: []byte("k")},
			&kgo.Record{Topic: "t", Partition: 0, Value: []byte{}},
		)
		<-time.After(time.Hour)
		if err := mirrorOnce(t, cfg); err != nil {
			t.Fatal(err)
		}
		same(t, source.read("t"), target.read("t"))
		topics, err := target.admin.ListTopics(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := topics.Names(); !slices.Equal(got, []string{"leat-mirror-m", "t"}) {
			t.Errorf("topics of the target: %v", got)
		}
		configs, err := target.admin.DescribeTopicConfigs(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range configs[0].Configs {
			if want := map[string]string{"retention.ms": "-1", "message.timestamp.type": "CreateTime"}[c.Key]; want != "" && c.MaybeValue() != want {
				t.Errorf("%s is %s at the target, not %s", c.Key, c.MaybeValue(), want)
			}
		}
	})
}

func TestMirror_GoesOn(t *testing.T) {
	inBubble(t, func(t *testing.T, source, target *cluster, cfg Config) {
		cfg.Prefix, cfg.Records = "edge.", 7
		source.create("t", 2, broker.TopicConfig{Name: "retention.ms", Value: "-1"})
		for i := range 4 {
			source.write(numbered("t", 50*i, 50*i+50)...)
			if i == 2 { // there is more than before
				if _, err := source.admin.UpdatePartitions(t.Context(), 3, "t"); err != nil {
					t.Fatal(err)
				}
				source.client.ForceMetadataRefresh()
				<-time.After(time.Minute)
				source.write(&kgo.Record{Topic: "t", Partition: 2, Value: []byte("new")})
			}
			if err := mirrorOnce(t, cfg); err != nil {
				t.Fatal(err)
			}
			same(t, source.read("t"), target.read("edge.t"))
			<-time.After(9 * 24 * time.Hour) // off-line for longer than offsets are kept
			source.write(numbered("t", 1000, 1001)...)
		}
	})
}

// TestMirror_Interrupted has the mirror killed, and both clusters fail, at
// random, while transactions are written at the source.
func TestMirror_Interrupted(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, source, target *cluster, cfg Config) {
				rng := rand.New(rand.NewPCG(seed, 1))
				cfg.Once, cfg.Records = false, 1+rng.IntN(100)
				source.create("t", 2)
				ended := make(chan struct{})
				ctx, cancel := context.WithCancel(t.Context())
				writes := rng.Uint64()
				go func() {
					defer close(ended)
					writeTransactions(ctx, source, writes)
				}()
				met := 0
				for range 12 {
					met += disturbed(t, rng, source, target, cfg)
				}
				cancel()
				<-ended
				cfg.Once = true
				if err := mirrorOnce(t, cfg); err != nil {
					t.Fatal(err)
				}
				if met == 0 {
					t.Error("no request has met a fault")
				}
				same(t, source.read("t"), target.read("t"))
			})
		})
	}
}

// writeTransactions writes until it is told to end.
func writeTransactions(ctx context.Context, c *cluster, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	k := c.connect(kgo.TransactionalID("writer"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer k.Close()
	bg := context.Background()
	for i := 0; ctx.Err() == nil; i += 20 {
		err := k.BeginTransaction()
		if err == nil {
			err = k.ProduceSync(bg, numbered("t", i, i+20)...).FirstErr()
		}
		if err == nil {
			err = endTxn(k, bg, kgo.TransactionEndTry(rng.IntN(3) > 0))
		}
		if err != nil {
			c.t.Error(err)
			return
		}
		<-time.After(time.Duration(rng.IntN(1000)) * time.Millisecond)
	}
}

// disturbed runs a mirror for a while, with a fault, and kills it.
func disturbed(t *testing.T, rng *rand.Rand, source, target *cluster, cfg Config) int {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	where, api := target, []broker.API{broker.Produce, broker.EndTxn, broker.InitProducerID, broker.AddPartitionsToTxn, broker.Metadata}[rng.IntN(5)]
	if rng.IntN(3) == 0 {
		where, api = source, broker.Fetch
	}
	notTests := func(r broker.Request) bool { return r.ClientID != "test" }
	fault := where.faults.Inject(broker.Fault{
		APIs: []broker.API{api}, Match: notTests, Skip: rng.IntN(5), Times: 1 + rng.IntN(3),
		Effect: []broker.Effect{broker.Disconnect, broker.LoseAnswer, broker.Silence, broker.Answer}[rng.IntN(4)],
		Delay:  time.Duration(rng.IntN(5000)) * time.Millisecond,
	})
	<-time.After(time.Duration(rng.IntN(90)) * time.Second)
	fault.Lift()
	// Killed: nothing it does from here on arrives anywhere.
	for _, c := range []*cluster{source, target} {
		cut := c.faults.Inject(broker.Fault{Effect: broker.Disconnect, Match: notTests})
		defer cut.Lift()
	}
	kill()
	if err := <-ended; err != nil {
		t.Errorf("the mirror has ended: %v", err)
	}
	return fault.Count()
}

func TestMirror_Groups(t *testing.T) {
	inBubble(t, func(t *testing.T, source, target *cluster, cfg Config) {
		source.create("t", 2)
		cfg.Records = 10
		for i := range 20 {
			source.write(numbered("t", 20*i, 20*i+20)...)
		}
		commit := func(c *cluster, group string, at int64) {
			var o kadm.Offsets
			o.Add(kadm.Offset{Topic: "t", Partition: 1, At: at, LeaderEpoch: -1, Metadata: "note"})
			if err := c.admin.CommitAllOffsets(t.Context(), group, o); err != nil {
				t.Fatal(err)
			}
		}
		commit(source, "some", 123)
		commit(source, "all", 200)
		commit(source, "none", 0)
		commit(source, "ahead", 50)
		target.create("t", 2)
		commit(target, "ahead", 90) // it has read on at the target
		if err := mirrorOnce(t, cfg); err != nil {
			t.Fatal(err)
		}
		copies := target.read("t")[1]
		end := copies[len(copies)-1].Offset + 1
		for group, want := range map[string]int64{"some": copies[123].Offset, "all": end, "none": copies[0].Offset, "ahead": 90} {
			got, err := target.admin.FetchOffsets(t.Context(), group)
			if err != nil {
				t.Fatal(err)
			}
			if o, ok := got.Lookup("t", 1); !ok || o.At != want || o.Metadata != "note" {
				t.Errorf("group %s: %+v, want offset %d", group, o, want)
			}
		}
	})
}

func TestMirror_Fenced(t *testing.T) {
	inBubble(t, func(t *testing.T, source, target *cluster, cfg Config) {
		source.create("t", 2)
		cfg.Once = false
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ends [2]chan error
		for i := range ends {
			m, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ends[i] = make(chan error, 1)
			go func() { ends[i] <- m.Run(ctx) }()
			<-time.After(time.Minute)
			source.write(numbered("t", 100*i, 100*i+100)...)
			<-time.After(time.Minute)
		}
		if err := <-ends[0]; !errors.Is(err, ErrFenced) {
			t.Errorf("the first mirror: %v", err)
		}
		source.write(numbered("t", 200, 300)...)
		<-time.After(time.Minute)
		cancel()
		if err := <-ends[1]; err != nil {
			t.Errorf("the second mirror: %v", err)
		}
		same(t, source.read("t"), target.read("t"))
	})
}

func TestMirror_LostRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, source, target *cluster, cfg Config) {
		source.create("t", 2)
		source.write(numbered("t", 0, 100)...)
		if err := mirrorOnce(t, cfg); err != nil {
			t.Fatal(err)
		}
		source.write(numbered("t", 100, 200)...)
		var o kadm.Offsets
		o.Add(kadm.Offset{Topic: "t", Partition: 0, At: 70})
		if _, err := source.admin.DeleteRecords(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if err := mirrorOnce(t, cfg); err != nil {
			t.Fatal(err)
		}
		if got := len(target.read("t")[0]); got != 80 {
			t.Errorf("%d records at the target, want the first 50 and the last 30", got)
		}

		if _, err := source.admin.DeleteTopics(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		source.create("t", 2)
		source.client.Close() // it knows the old topic's id
		source.client = source.connect(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		source.write(numbered("t", 0, 10)...)
		err := mirrorOnce(t, cfg)
		if e, ok := errors.AsType[*PartitionError](err); !ok || e.Topic != "t" || !strings.Contains(err.Error(), "made anew") {
			t.Errorf("a topic that was made anew: %v", err)
		}
	})
}

// endTxn ends a transaction whose records are written; see session.produce.
func endTxn(c *kgo.Client, ctx context.Context, how kgo.TransactionEndTry) error {
	if err := c.AbortBufferedRecords(ctx); err != nil {
		return err
	}
	return c.EndTransaction(ctx, how)
}
