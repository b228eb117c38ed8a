package broker

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestVirtualTime runs broker and client in a bubble: hours pass in no time,
// so everything between them must wait in ways that the bubble sees.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b, err := Start(Config{InitialRebalanceDelay: 3 * time.Second, OffsetsRetention: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1, TopicConfig{"retention.ms", "3600000"}, TopicConfig{"segment.ms", "600000"}); err != nil {
			t.Fatal(err)
		}
		dial := []kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial)}
		p, err := kgo.NewClient(dial...)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c, err := kgo.NewClient(append(dial, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()

		for _, v := range []string{"one", "two"} {
			if err := p.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for len(got) == 0 {
				c.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
			}
			if !slices.Equal(got, []string{v}) {
				t.Errorf("got %v, want %s", got, v)
			}
			<-time.After(5 * time.Hour)
		}
		if passed := time.Since(began); passed < 10*time.Hour {
			t.Errorf("only %v have passed", passed)
		}
		if start := b.catalog.Image().Topic("t").Logs[0].Bounds().LogStart; start == 0 {
			t.Error("retention deleted nothing in ten hours")
		}
	})
}
