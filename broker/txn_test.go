package broker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// protocols are clients of the two protocols of transactions.
var protocols = map[string][]kgo.Opt{
	"first protocol":  {kgo.MaxVersions(kversion.V3_9_0())},
	"second protocol": nil,
}

// committed reads a topic as who wants committed records does, up to its last
// stable offset, which has to be its end.
func committed(t *testing.T, b *Broker, topic string) []string {
	t.Helper()
	c := client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	defer c.Close()
	ends, err := kadm.NewClient(c).ListCommittedOffsets(timeout(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	at := map[int32]int64{}
	var got []string
	for ctx := timeout(t); ; {
		done := true
		ends.Each(func(o kadm.ListedOffset) { done = done && at[o.Partition] >= o.Offset })
		if done {
			return got
		}
		fs := c.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			t.Fatalf("after %d records, at %v of %v: %v", len(got), at, ends, err)
		}
		fs.EachRecord(func(r *kgo.Record) {
			at[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				got = append(got, string(r.Value))
			}
		})
	}
}

func TestTransactions(t *testing.T) {
	for name, opts := range protocols {
		t.Run(name, func(t *testing.T) {
			b := start(t, Config{DefaultPartitions: 3})
			p := client(t, b, append(opts, kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("t"), kgo.AllowAutoTopicCreation())...)
			var want []string
			for i := range 20 {
				if err := p.BeginTransaction(); err != nil {
					t.Fatal(err)
				}
				values := numbers(fmt.Sprint(i, "-"), 5)
				produce(t, p, "t", values...)
				end := kgo.TransactionEndTry(i%3 != 0)
				if err := endTxn(p, timeout(t), end); err != nil {
					t.Fatalf("transaction %d: %v", i, err)
				}
				if end == kgo.TryCommit {
					want = append(want, values...)
				}
			}
			got := committed(t, b, "t")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %d records %v, want %d", len(got), got, len(want))
			}
		})
	}
}

// errIdle says that there was nothing left to copy.
var errIdle = errors.New("nothing to copy")

// etl copies what it consumes as one of a group, in transactions, until ctx is
// done, something fails, or there is nothing to do for some time. Every so
// often it aborts.
func etl(ctx context.Context, b *Broker, id string, opts ...kgo.Opt) error {
	s, err := kgo.NewGroupTransactSession(append([]kgo.Opt{
		kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.TransactionalID(id), kgo.TransactionTimeout(20 * time.Second),
		kgo.ConsumerGroup("etl"), kgo.InstanceID(id), kgo.ConsumeTopics("in"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }), kgo.FetchMaxWait(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		return err
	}
	defer s.Close()
	// What the one before has left open ends now, not when it times out.
	if _, _, err := s.Client().ProducerID(ctx); err != nil {
		return err
	}
	for turn := 0; ; turn++ {
		idle, stop := context.WithTimeoutCause(ctx, time.Second, errIdle)
		fs := s.PollRecords(idle, 7)
		stop()
		switch err := fs.Err(); {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case fs.NumRecords() == 0 && idle.Err() != nil:
			return errIdle
		case err != nil:
			return err
		}
		if err := s.Begin(); err != nil {
			return err
		}
		first := kgo.AbortingFirstErrPromise(s.Client())
		fs.EachRecord(func(r *kgo.Record) {
			s.Produce(ctx, &kgo.Record{Topic: "out", Value: r.Value}, first.Promise())
		})
		end := kgo.TransactionEndTry(first.Err() == nil && turn%4 != 3)
		if _, err := s.End(ctx, end); err != nil {
			return err
		}
	}
}

func TestExactlyOnce(t *testing.T) {
	for name, opts := range protocols {
		t.Run(name, func(t *testing.T) {
			b := start(t, Config{})
			for topic, n := range map[string]int{"in": 4, "out": 3} {
				if err := b.CreateTopic(t.Context(), topic, n); err != nil {
					t.Fatal(err)
				}
			}
			want := numbers("v", 300)
			produce(t, client(t, b), "in", want...)
			ctx, cancel := context.WithCancel(timeout(t))
			done := make(chan error)
			for _, id := range []string{"a", "b"} {
				go func() { done <- etl(ctx, b, id, opts...) }()
			}
			got := consumeCommitted(t, b, "out", len(want))
			cancel()
			for range 2 {
				if err := <-done; !errors.Is(err, context.Canceled) && !errors.Is(err, errIdle) {
					t.Error(err)
				}
			}
			if more := committed(t, b, "out"); len(more) != len(want) {
				t.Errorf("%d records in the end", len(more))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %d records, not once those produced", len(got))
			}
		})
	}
}

// consumeCommitted returns the next n committed values of a topic.
func consumeCommitted(t *testing.T, b *Broker, topic string, n int) []string {
	t.Helper()
	c := client(t, b, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer c.Close()
	return consume(t, c, n)
}

// current dials the broker that runs now, whatever it is called.
type current struct{ b atomic.Pointer[Broker] }

func (c *current) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	b := c.b.Load()
	return b.Dial(ctx, network, b.Addr())
}

// The broker starts again and again while transactions copy one topic to
// another. In the end each record has been copied once.
func TestExactlyOnce_Restarts(t *testing.T) {
	cfg := Config{fs: vfs.NewMem()}
	b := start(t, cfg)
	for topic, n := range map[string]int{"in": 3, "out": 2} {
		if err := b.CreateTopic(t.Context(), topic, n); err != nil {
			t.Fatal(err)
		}
	}
	want := numbers("v", 400)
	produce(t, client(t, b), "in", want...)
	var now current
	now.b.Store(b)
	ctx, cancel := context.WithCancel(timeout(t))
	done := make(chan struct{})
	seed := b // the name that clients begin with; the dialer doesn't mind
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = etl(ctx, seed, "a", kgo.Dialer(now.dial)) // begins again, as a process does
		}
	}()
	r, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(now.dial), kgo.ConsumeTopics("out"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 5 * time.Millisecond }))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for at := 100; len(got) < len(want); at += 100 {
		for len(got) < min(at, len(want)) {
			fs := r.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatalf("after %d records: %v", len(got), fs.Errors())
			}
			fs.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		b = start(t, cfg)
		now.b.Store(b)
	}
	cancel()
	<-done
	if more := committed(t, b, "out"); len(more) != len(want) {
		t.Errorf("%d records in the end", len(more))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %d records, not once those produced", len(got))
	}
}

// What was decided before a restart is done after it, and what was open stays
// open until somebody ends it.
func TestTransactions_Restart(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	b := start(t, Config{fs: fs})
	for _, topic := range []string{"decided", "open"} {
		if err := b.CreateTopic(t.Context(), topic, 1); err != nil {
			t.Fatal(err)
		}
	}
	decided := client(t, b, kgo.TransactionalID("decided"))
	open := client(t, b, kgo.TransactionalID("open"))
	for topic, c := range map[string]*kgo.Client{"decided": decided, "open": open} {
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, c, topic, "v")
	}
	// The marker can't be written, but the decision can.
	onTopic := func(path string) bool { return strings.Contains(path, "/decided-0/") }
	repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite, Path: onTopic, Err: syscall.EIO})
	if err := endTxn(decided, timeout(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	stable := func(topic string) int64 { return b.catalog.Image().Topic(topic).Logs[0].Bounds().LastStable }
	if stable("decided") != 0 || stable("open") != 0 {
		t.Fatalf("stable up to %d and %d", stable("decided"), stable("open"))
	}
	decided.Close()
	open.Close()
	repair()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	b = start(t, Config{fs: fs})
	if got := consumeCommitted(t, b, "decided", 1); got[0] != "v" {
		t.Error(got)
	}
	if stable("open") != 0 {
		t.Error("an open transaction was ended")
	}
	// The next owner of the id ends it.
	next := client(t, b, kgo.TransactionalID("open"))
	if err := next.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, next, "open", "w")
	if err := endTxn(next, timeout(t), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if got := committed(t, b, "open"); !slices.Equal(got, []string{"w"}) {
		t.Errorf("committed: %v", got)
	}
}

// A producer that has lost its id to another can't write any more.
func TestTransactions_Fenced(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	var cs []*kgo.Client
	for i := range 2 {
		c := client(t, b, kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("t"))
		cs = append(cs, c)
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, c, "t", fmt.Sprint("v", i))
	}
	if err := cs[0].EndTransaction(timeout(t), kgo.TryCommit); !errors.Is(err, kerr.ProducerFenced) && !errors.Is(err, kerr.InvalidProducerEpoch) {
		t.Errorf("the old one commits: %v", err)
	}
	if err := endTxn(cs[1], timeout(t), kgo.TryCommit); err != nil {
		t.Error(err)
	}
	if got := committed(t, b, "t"); !slices.Equal(got, []string{"v1"}) {
		t.Errorf("committed: %v", got)
	}
}

func TestTransactions_TimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Start(Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
			t.Fatal(err)
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.TransactionalID("tx"), kgo.TransactionTimeout(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		log := b.catalog.Image().Topic("t").Logs[0]
		<-time.After(59 * time.Second)
		if s := log.Bounds().LastStable; s != 0 {
			t.Errorf("stable up to %d too early", s)
		}
		<-time.After(2 * time.Second)
		if s := log.Bounds().LastStable; s != 2 {
			t.Errorf("stable up to %d after the timeout", s)
		}
		if err := c.EndTransaction(t.Context(), kgo.TryCommit); err == nil {
			t.Error("committed after the timeout")
		}
	})
}

func TestTransactions_Admin(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	c := client(t, b, kgo.TransactionalID("tx"), kgo.DefaultProduceTopic("t"))
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, c, "t", "v")
	adm, ctx := kadm.NewClient(client(t, b)), timeout(t)
	list, err := adm.ListTransactions(ctx, nil, []string{"Ongoing"})
	if err != nil || len(list) != 1 || list["tx"].State != "Ongoing" {
		t.Fatalf("%+v, %v", list, err)
	}
	if none, err := adm.ListTransactions(ctx, []int64{list["tx"].ProducerID + 1}, nil); err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	described, err := adm.DescribeTransactions(ctx, "tx", "unknown")
	tx := described["tx"]
	if err != nil || tx.State != "Ongoing" || len(tx.Topics["t"]) != 1 || !errors.Is(described["unknown"].Err, kerr.TransactionalIDNotFound) {
		t.Errorf("%+v, %v", described, err)
	}
	ps, err := adm.DescribeProducers(ctx, kadm.TopicsSet{"t": {0: {}, 1: {}}})
	if err != nil {
		t.Fatal(err)
	}
	hanging := 0
	for _, p := range ps["t"].Partitions {
		for _, a := range p.ActiveProducers {
			if a.CurrentTxnStartOffset == 0 && a.ProducerID == tx.ProducerID {
				hanging++
			}
		}
	}
	if hanging != 1 {
		t.Errorf("%d open transactions in %+v", hanging, ps)
	}
	// By hand, as kafka-transactions abort does.
	for p := range tx.Topics["t"] {
		w := kadm.TxnMarkers{ProducerID: tx.ProducerID, ProducerEpoch: tx.ProducerEpoch, Topics: kadm.TopicsSet{"t": {p: {}}}}
		if rs, err := adm.WriteTxnMarkers(ctx, w); err != nil || rs[tx.ProducerID].Topics["t"].Partitions[p].Err != nil {
			t.Errorf("%+v, %v", rs, err)
		}
		if bounds := b.catalog.Image().Topic("t").Logs[p].Bounds(); bounds.LastStable != 2 {
			t.Errorf("%+v", bounds)
		}
	}
}

// endTxn ends a transaction whose records are written. The library may acknowledge
// the first records of a topic before it has noted the topic, and would then take
// the transaction for empty and abort it without an error; AbortBufferedRecords,
// with nothing buffered, waits until it is noted.
func endTxn(c *kgo.Client, ctx context.Context, how kgo.TransactionEndTry) error {
	if err := c.AbortBufferedRecords(ctx); err != nil {
		return err
	}
	return c.EndTransaction(ctx, how)
}
