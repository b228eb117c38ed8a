package broker

import (
	"context"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkProduce produces records of 1 KiB as fast as a client can.
func BenchmarkProduce(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  func(*testing.B) Config
	}{
		{"dial/memory", func(*testing.B) Config { return Config{} }},
		{"tcp/memory", func(*testing.B) Config { return Config{Listen: "127.0.0.1:0"} }},
		{"tcp/disk", func(b *testing.B) Config { return Config{Listen: "127.0.0.1:0", Dir: b.TempDir()} }},
	} {
		b.Run(c.name, func(b *testing.B) {
			br, cl := benchClient(b, c.cfg(b))
			defer br.Close()
			defer cl.Close()
			value := make([]byte, 1024)
			var wg sync.WaitGroup
			b.SetBytes(1024)
			b.ResetTimer()
			for range b.N {
				wg.Add(1)
				cl.Produce(context.Background(), &kgo.Record{Topic: "t", Value: value}, func(_ *kgo.Record, err error) {
					if err != nil {
						b.Error(err)
					}
					wg.Done()
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkProduceSync produces one record at a time.
func BenchmarkProduceSync(b *testing.B) {
	br, cl := benchClient(b, Config{Listen: "127.0.0.1:0", Dir: b.TempDir()})
	defer br.Close()
	defer cl.Close()
	value := make([]byte, 1024)
	b.ResetTimer()
	for range b.N {
		if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: "t", Value: value}).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConsume reads records of 1 KiB from the beginning.
func BenchmarkConsume(b *testing.B) {
	br, cl := benchClient(b, Config{Listen: "127.0.0.1:0", Dir: b.TempDir()},
		kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer br.Close()
	defer cl.Close()
	value := make([]byte, 1024)
	for range b.N {
		cl.Produce(context.Background(), &kgo.Record{Topic: "t", Value: value}, nil)
	}
	if err := cl.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(1024)
	b.ResetTimer()
	for n := 0; n < b.N; {
		n += cl.PollFetches(context.Background()).NumRecords()
	}
}

func benchClient(b *testing.B, cfg Config, opts ...kgo.Opt) (*Broker, *kgo.Client) {
	b.Helper()
	br, err := Start(cfg)
	if err != nil {
		b.Fatal(err)
	}
	if err := br.CreateTopic(b.Context(), "t", 4); err != nil {
		b.Fatal(err)
	}
	opts = append(opts, kgo.SeedBrokers(br.Addr()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if cfg.Listen == "" {
		opts = append(opts, kgo.Dialer(br.Dial))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		b.Fatal(err)
	}
	return br, cl
}
