package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// start starts a broker that the test closes.
func start(t *testing.T, cfg Config) *Broker {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	b, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// client returns a client of the broker, inside the process unless it listens.
func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(b.Addr())}, opts...)
	if len(b.entrances) == 0 {
		opts = append(opts, kgo.Dialer(b.Dial))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func timeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// transports runs a test inside the process and over TCP.
func transports(t *testing.T, test func(t *testing.T, b *Broker)) {
	t.Run("dial", func(t *testing.T) { test(t, start(t, Config{})) })
	t.Run("tcp", func(t *testing.T) { test(t, start(t, Config{Listen: "127.0.0.1:0"})) })
}

// produce produces the values and waits for their acknowledgements.
func produce(t *testing.T, c *kgo.Client, topic string, values ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(v)})
	}
	if err := c.ProduceSync(timeout(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume returns the next n values that the client fetches.
func consume(t *testing.T, c *kgo.Client, n int) []string {
	t.Helper()
	ctx := timeout(t)
	var got []string
	for len(got) < n {
		fs := c.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(got), n, err)
		}
		fs.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

func numbers(prefix string, n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return s
}

func TestProduceConsume_Codecs(t *testing.T) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	transports(t, func(t *testing.T, b *Broker) {
		for name, codec := range codecs {
			want := numbers(name, 1000)
			p := client(t, b, kgo.ProducerBatchCompression(codec), kgo.AllowAutoTopicCreation(), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			produce(t, p, name, want...)
			c := client(t, b, kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			if got := consume(t, c, len(want)); !slices.Equal(got, want) {
				t.Errorf("%s: got %d records, not those produced", name, len(got))
			}
		}
	})
}

func TestConsume_WaitsForRecords(t *testing.T) {
	transports(t, func(t *testing.T, b *Broker) {
		if err := b.CreateTopic(t.Context(), "t", 3); err != nil {
			t.Fatal(err)
		}
		c := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		p := client(t, b)
		for i := range 5 {
			v := fmt.Sprint(i)
			produce(t, p, "t", v)
			if got := consume(t, c, 1); got[0] != v {
				t.Fatalf("got %q, want %q", got, v)
			}
		}
	})
}

func TestReopen(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean=%v", clean), func(t *testing.T) {
			dir := t.TempDir()
			b := start(t, Config{Dir: dir})
			if err := b.CreateTopic(t.Context(), "t", 1, TopicConfig{"retention.ms", "-1"}); err != nil {
				t.Fatal(err)
			}
			want := numbers("v", 100)
			produce(t, client(t, b), "t", want...)
			g := client(t, b, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			consume(t, g, 50)
			var offsets kadm.Offsets
			offsets.Add(kadm.Offset{Topic: "t", Partition: 0, At: 50, LeaderEpoch: 0, Metadata: "half"})
			g.Close()
			adm := kadm.NewClient(client(t, b))
			if err := adm.CommitAllOffsets(timeout(t), "g", offsets); err != nil {
				t.Fatal(err)
			}
			topic, cluster := b.catalog.Image().Topic("t"), b.ClusterID()
			if clean {
				if err := b.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				dir = copyDir(t, dir) // what a killed process leaves
			}

			b = start(t, Config{Dir: dir})
			if got := b.catalog.Image().Topic("t"); got == nil || got.ID != topic.ID || got.Configs["retention.ms"] != "-1" || b.ClusterID() != cluster {
				t.Fatalf("topic after restart: %+v, want id %x", got, topic.ID)
			}
			adm = kadm.NewClient(client(t, b))
			got, err := adm.FetchOffsets(timeout(t), "g")
			if o, _ := got.Lookup("t", 0); err != nil || o.At != 50 || o.Metadata != "half" {
				t.Errorf("offset after restart: %+v, %v", o, err)
			}
			c := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
			if got := consume(t, c, 100); !slices.Equal(got, want) {
				t.Errorf("records after restart differ: %d", len(got))
			}
		})
	}
}

func TestStart_LockedDir(t *testing.T) {
	dir := t.TempDir()
	start(t, Config{Dir: dir})
	_, err := Start(Config{Dir: dir})
	if err == nil {
		t.Fatal("a second broker started in the same directory")
	}
	t.Log(err)
}

func TestClosed(t *testing.T) {
	b := start(t, Config{})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Dial(t.Context(), "tcp", b.Addr()); !errors.Is(err, ErrClosed) {
		t.Errorf("Dial after Close: %v", err)
	}
	if err := b.CreateTopic(t.Context(), "t", 1); !errors.Is(err, ErrClosed) {
		t.Errorf("CreateTopic after Close: %v", err)
	}
}
