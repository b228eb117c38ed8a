package broker

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// setQuota sets one quota of a user.
func setQuota(t *testing.T, c *kgo.Client, user, key string, value float64) {
	t.Helper()
	got, err := kadm.NewClient(c).AlterClientQuotas(t.Context(), []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &user}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: key, Value: value}},
	}})
	if err != nil || got[0].Err != nil {
		t.Fatal(got, err)
	}
}

// TestQuotas_Rates writes and reads ten seconds' worth of a quota's bytes five
// times over, in virtual time.
func TestQuotas_Rates(t *testing.T) {
	const rate, total = 10_000, 500_000
	synctest.Test(t, func(t *testing.T) {
		cfg := secured(ScramSHA256)
		cfg.MaintenanceInterval, cfg.ListenFunc = -1, silent
		b, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		open := func(user string, opts ...kgo.Opt) *kgo.Client {
			opts = append(opts, kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.SASL(mechanism(ScramSHA256, user, user+"'s")),
				kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.FetchMaxWait(100*time.Millisecond))
			c, err := kgo.NewClient(opts...)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		alice, bob := open("alice"), open("bob", kgo.ConsumeTopics("t"), kgo.FetchMaxPartitionBytes(5000))
		defer alice.Close()
		defer bob.Close()
		setQuota(t, alice, "bob", "producer_byte_rate", rate)
		setQuota(t, alice, "bob", "consumer_byte_rate", 2*rate)

		took := func(do func()) time.Duration {
			began := time.Now()
			do()
			return time.Since(began)
		}
		write := func(c *kgo.Client) {
			for range total / 1000 {
				if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: make([]byte, 1000)}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		// The first ten seconds' worth are a burst.
		if d := took(func() { write(bob) }); d < 35*time.Second || d > 70*time.Second {
			t.Errorf("bob wrote for %v", d)
		}
		if d := took(func() { write(alice) }); d > 10*time.Second {
			t.Errorf("alice wrote for %v, without a quota", d)
		}
		d := took(func() {
			for n := 0; n < 2*total; {
				fs := bob.PollFetches(t.Context())
				if err := fs.Err(); err != nil {
					t.Fatal(err)
				}
				fs.EachRecord(func(r *kgo.Record) { n += len(r.Value) })
			}
		})
		if d < 30*time.Second || d > 80*time.Second {
			t.Errorf("bob read for %v", d)
		}
	})
}

// TestQuotas_MutesTheDeaf has a client that takes no notice of throttle times.
func TestQuotas_MutesTheDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{MaintenanceInterval: -1, Listen: "127.0.0.1:9999", ListenFunc: silent}
		b, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		admin, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial))
		if err != nil {
			t.Fatal(err)
		}
		defer admin.Close()
		setQuota(t, admin, "ANONYMOUS", "producer_byte_rate", 1000)
		c, err := b.Dial(t.Context(), "", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req := kmsg.NewPtrProduceRequest()
		req.Acks = 1
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic = "missing"
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Records = make([]byte, 25_000)
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		began := time.Now()
		resp, err := exchange(t, c, req, 9)
		if err != nil || time.Since(began) > time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		// 25 seconds' worth, of which a window of ten was free.
		throttle := time.Duration(resp.(*kmsg.ProduceResponse).ThrottleMillis) * time.Millisecond
		if throttle < 14*time.Second || throttle > 16*time.Second {
			t.Errorf("throttled for %v", throttle)
		}
		if _, err := exchange(t, c, kmsg.NewPtrMetadataRequest(), 9); err != nil || time.Since(began) < throttle {
			t.Errorf("the next answer came after %v, %v", time.Since(began), err)
		}
	})
}

// TestQuotas_FetchLater has a consumer that wants more than its quota: it gets
// nothing but the time to wait, and what it wanted after that.
func TestQuotas_FetchLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Start(Config{MaintenanceInterval: -1, Listen: "127.0.0.1:9999", ListenFunc: silent})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		k, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		if err := k.ProduceSync(t.Context(), kgo.SliceRecord(make([]byte, 9000))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		setQuota(t, k, "ANONYMOUS", "consumer_byte_rate", 1000)
		c, err := b.Dial(t.Context(), "", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes = 1 << 20
		rt := kmsg.NewFetchRequestTopic()
		rt.Topic = "t"
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.PartitionMaxBytes = 1 << 20
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		for i, want := range []int{1, 0, 1} { // topics in the answer
			began := time.Now()
			got, err := exchange(t, c, req, 11)
			if err != nil {
				t.Fatal(err)
			}
			resp := got.(*kmsg.FetchResponse)
			if len(resp.Topics) != want || (resp.ThrottleMillis > 0) != (want == 0) {
				t.Errorf("answer %d has %d topics, want %d; to wait %d ms", i, len(resp.Topics), want, resp.ThrottleMillis)
			}
			if want > 0 && len(resp.Topics) > 0 && len(resp.Topics[0].Partitions[0].RecordBatches) < 9000 {
				t.Errorf("answer %d has %d bytes", i, len(resp.Topics[0].Partitions[0].RecordBatches))
			}
			// Nobody is kept waiting for the answer itself; who doesn't heed the time is
			// not heard before it is over.
			if d := time.Since(began); i < 2 && d > time.Second || i == 2 && d < 9*time.Second {
				t.Errorf("answer %d came after %v", i, d)
			}
		}
	})
}

func TestQuotas_Describe(t *testing.T) {
	b := start(t, Config{})
	c := client(t, b)
	setQuota(t, c, "u", "producer_byte_rate", 1024)
	setQuota(t, c, "u", "request_percentage", 12.5)
	setQuota(t, c, "v", "consumer_byte_rate", 1)
	u := "u"
	got, err := kadm.NewClient(c).DescribeClientQuotas(timeout(t), true, []kadm.DescribeClientQuotaComponent{{Type: "user", MatchName: &u, MatchType: kmsg.QuotasMatchTypeExact}})
	if err != nil || len(got) != 1 || len(got[0].Values) != 2 || got[0].Values[0].Value != 1024 {
		t.Fatalf("%+v, %v", got, err)
	}
	gone, err := kadm.NewClient(c).AlterClientQuotas(timeout(t), []kadm.AlterClientQuotaEntry{{
		Entity: kadm.ClientQuotaEntity{{Type: "user", Name: &u}},
		Ops:    []kadm.AlterClientQuotaOp{{Key: "producer_byte_rate", Remove: true}, {Key: "request_percentage", Remove: true}},
	}})
	if err != nil || gone[0].Err != nil {
		t.Fatal(gone, err)
	}
	got, err = kadm.NewClient(c).DescribeClientQuotas(timeout(t), false, nil)
	if err != nil || len(got) != 1 || *got[0].Entity[0].Name != "v" {
		t.Errorf("%+v, %v", got, err)
	}
}
