package broker

import (
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/leatstream/leat/broker/internal/vfs"
)

func TestParseDurability(t *testing.T) {
	for in, want := range map[string]Durability{"os": OS, "fsync": Fsync, "50ms": Interval(50 * time.Millisecond)} {
		if got, err := ParseDurability(in); err != nil || got != want || got.String() != in {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "0s", "-1s", "often"} {
		if got, err := ParseDurability(in); err == nil {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestStart_BadConfig(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"remote":     {Config{Listen: "0.0.0.0:0"}, "reaches other machines"},
		"any":        {Config{Listen: ":0"}, "reaches other machines"},
		"name":       {Config{Listen: "example.org:0"}, "reaches other machines"},
		"no port":    {Config{Listen: "localhost"}, "want HOST:PORT"},
		"advertise":  {Config{Listen: "127.0.0.1:0", Advertise: "x"}, "want HOST:PORT"},
		"partitions": {Config{DefaultPartitions: -1}, "must be positive"},
		"limits":     {Config{Limits: Limits{InFlight: -1}}, "a limit is negative"},
	} {
		b, err := Start(c.cfg)
		if err == nil {
			b.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Start(Config{Listen: "0.0.0.0:0"}); !errors.Is(err, ErrRemoteListen) {
		t.Errorf("%v is no ErrRemoteListen", err)
	}
}

func TestAdvertise(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Advertise: "broker.example:9999"})
	if b.Addr() != "broker.example:9999" {
		t.Errorf("Addr %q", b.Addr())
	}
	if _, err := b.Dial(t.Context(), "tcp", "elsewhere:9092"); !errors.Is(err, ErrUnknownAddress) {
		t.Errorf("Dial elsewhere: %v", err)
	}
}

func TestLimits_Connections(t *testing.T) {
	b := start(t, Config{Limits: Limits{Connections: 2}})
	var conns []net.Conn
	for range 2 {
		conns = append(conns, dial(t, b))
	}
	if _, err := b.Dial(t.Context(), "tcp", b.Addr()); err == nil {
		t.Error("a third connection was accepted")
	}
	conns[0].Close()
	eventually(t, "a place gets free", func() bool {
		c, err := b.Dial(t.Context(), "tcp", b.Addr())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// TestInterval loses power after the interval has passed.
func TestInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fs := vfs.NewFault(vfs.NewMem())
		b, err := Start(Config{fs: fs, Durability: Interval(50 * time.Millisecond)})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		c.Close()
		<-time.After(time.Second)
		fs.Inject(vfs.Rule{Ops: vfs.OpChange, Err: vfs.ErrPowerCut})
		_ = b.Close()
		fs.PowerCut(1)

		again, err := Start(Config{fs: fs})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if got := again.catalog.Image().Topic("t").Logs[0].Bounds().LogEnd; got != 1 {
			t.Errorf("log end %d, want 1", got)
		}
	})
}

func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	b := start(t, Config{MeterProvider: metric.NewMeterProvider(metric.WithReader(reader)), MetricDetail: ByTopic, Durability: Fsync})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.TransactionalID("x"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", "v")
	if err := endTxn(c, timeout(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	consume(t, c, 1)
	_ = c.ProduceSync(timeout(t), &kgo.Record{Topic: "t", Value: make([]byte, 2<<20)}).FirstErr()
	got := measured(t, reader)
	for _, want := range []string{
		"leat.broker.connections", "leat.broker.requests", "leat.broker.request.size", "leat.broker.request.time", "leat.broker.request.errors",
		"leat.broker.records.in", "leat.broker.bytes.in", "leat.broker.bytes.out", "leat.broker.log.size", "leat.broker.topics", "leat.broker.partitions",
		"leat.broker.partitions.failed", "leat.broker.groups", "leat.broker.transactions", "leat.broker.sync.time", "leat.broker.rebalances",
	} {
		if _, ok := got[want]; !ok {
			t.Errorf("no %s in %v", want, slices.Sorted(maps.Keys(got)))
		}
	}
	in, ok := got["leat.broker.records.in"].(metricdata.Sum[int64])
	if !ok || !slices.ContainsFunc(in.DataPoints, func(p metricdata.DataPoint[int64]) bool {
		name, ok := p.Attributes.Value("topic")
		return ok && name.AsString() == "t" && p.Value >= 1
	}) {
		t.Errorf("records of topic t: %+v", in)
	}
}

// measured are the metrics that a reader reads, by name.
func measured(t *testing.T, reader metric.Reader) map[string]metricdata.Aggregation {
	t.Helper()
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	all := map[string]metricdata.Aggregation{}
	for _, s := range got.ScopeMetrics {
		for _, m := range s.Metrics {
			all[m.Name] = m.Data
		}
	}
	return all
}
