package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bubbled is a broker and clients of it in a bubble.
type bubbled struct {
	*testing.T
	b *Broker
}

func inBubble(t *testing.T, cfg Config, f func(bubbled)) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 4); err != nil {
			t.Fatal(err)
		}
		f(bubbled{t, b})
	})
}

func (w bubbled) client(opts ...kgo.Opt) *kgo.Client {
	w.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(w.b.Addr()), kgo.Dialer(w.b.Dial)}, opts...)...)
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// TestVirtualTime_Rebalance has two members share partitions, until one of them
// is cut off and its session times out.
func TestVirtualTime_Rebalance(t *testing.T) {
	var f Faults
	inBubble(t, Config{Faults: &f}, func(w bubbled) {
		var parts [2]atomic.Int64
		member := func(n int, opts ...kgo.Opt) *kgo.Client {
			return w.client(append(opts, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.SessionTimeout(30*time.Second),
				kgo.Balancers(kgo.RangeBalancer()), // each round assigns all
				kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, got map[string][]int32) { parts[n].Store(int64(len(got["t"]))) }))...)
		}
		a := member(0)
		defer a.Close()
		b := member(1, kgo.ClientID("second"))
		<-time.After(time.Minute)
		if x, y := parts[0].Load(), parts[1].Load(); x != 2 || y != 2 {
			w.Errorf("the members have %d and %d partitions", x, y)
		}
		gone := f.Inject(Fault{Effect: Disconnect, Match: func(r Request) bool { return r.ClientID == "second" }})
		b.Close() // it can't tell that it leaves
		began := time.Now()
		for parts[0].Load() != 4 && time.Since(began) < 5*time.Minute {
			<-time.After(time.Second)
		}
		if took := time.Since(began); took < 20*time.Second {
			w.Errorf("a session of 30 s was over after %v", took)
		}
		if gone.Count() == 0 {
			w.Error("the member that was cut off didn't ask for anything")
		}
		if n := parts[0].Load(); n != 4 {
			w.Errorf("the member that stays has %d partitions, not 4", n)
		}
	})
}

// TestVirtualTime_Transactions commits one transaction, and leaves another
// until the broker ends it.
func TestVirtualTime_Transactions(t *testing.T) {
	inBubble(t, Config{}, func(w bubbled) {
		p := w.client(kgo.TransactionalID("x"), kgo.TransactionTimeout(time.Minute), kgo.DefaultProduceTopic("t"))
		defer p.Close()
		write := func(value string, end kgo.TransactionEndTry) {
			if err := p.BeginTransaction(); err != nil {
				w.Fatal(err)
			}
			if err := p.ProduceSync(w.Context(), kgo.StringRecord(value)).FirstErr(); err != nil {
				w.Fatal(err)
			}
			if err := endTxn(p, w.Context(), end); err != nil {
				w.Fatal(err)
			}
		}
		write("yes", kgo.TryCommit)
		write("no", kgo.TryAbort)
		if err := p.BeginTransaction(); err != nil {
			w.Fatal(err)
		}
		if err := p.ProduceSync(w.Context(), kgo.StringRecord("late")).FirstErr(); err != nil {
			w.Fatal(err)
		}

		r := w.client(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		defer r.Close()
		var got []string
		began := time.Now()
		ctx, cancel := context.WithTimeout(w.Context(), 5*time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			r.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				got = append(got, fmt.Sprintf("%s after %v", r.Value, time.Since(began).Round(time.Minute)))
			})
		}
		if !slices.Equal(got, []string{"yes after 0s"}) {
			w.Errorf("read %v", got)
		}
		err := endTxn(p, w.Context(), kgo.TryCommit)
		if !errors.Is(err, kerr.InvalidProducerEpoch) && !errors.Is(err, kerr.InvalidTxnState) && !errors.Is(err, kerr.ProducerFenced) {
			w.Errorf("the end of a transaction that the broker has aborted: %v", err)
		}
	})
}
