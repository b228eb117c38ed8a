package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
)

// patience is how long a test waits for something that should happen soon. It
// never is what a test measures.
const patience = 30 * time.Second

// connect starts a broker with a topic "t" of two partitions, and a client.
func connect(t *testing.T) (Config, *Client) {
	t.Helper()
	b, err := broker.Start(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Brokers: []string{b.Addr()}, Dial: b.Dial}
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cfg, c
}

func send(t *testing.T, s *Session, o task.Outgoing) {
	t.Helper()
	if err := s.Send(&o); err != nil {
		t.Fatal(err)
	}
}

// fill writes n records to t-0 and waits until they are there.
func fill(t *testing.T, c *Client, n int) {
	t.Helper()
	s := c.Session(t.Context(), 0)
	for i := range n {
		send(t, s, task.Outgoing{Topic: "t", Value: fmt.Appendf(nil, "v%d", i), Time: int64(i), Changelog: -1})
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsSentIsRead(t *testing.T) {
	cfg, c := connect(t)
	s := c.Session(t.Context(), 2)
	send(t, s, task.Outgoing{Topic: "t", Partition: 1, Key: []byte("k"), Value: nil, Time: 5, Changelog: 1,
		Headers: []record.Header{{Key: "h", Value: []byte{}}, {Key: "null"}}})
	send(t, s, task.Outgoing{Topic: "t", Partition: 1, Key: nil, Value: []byte{}, Time: 1, Changelog: -1})
	send(t, s, task.Outgoing{Topic: "t", Partition: -1, Key: []byte("21"), Value: []byte("by key"), Time: 9, Changelog: -1})
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b, n := s.Acked(0), s.Acked(1), s.InFlight(); a != 0 || b != 1 || n != 0 {
		t.Errorf("acknowledged up to %d and %d with %d in flight, want 0, 1 and 0", a, b, n)
	}
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Add(tp("t", 0), 0)
	r.Add(tp("t", 1), 0)
	got := map[int32][]record.Record{}
	for n := 0; n < 3; {
		batches, err := r.Poll(t.Context(), 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			n += len(b.Records)
			got[b.Partition] = append(got[b.Partition], b.Records...)
		}
	}
	want := map[int32][]record.Record{
		0: {{Key: []byte("21"), Value: []byte("by key"), Time: 9}},
		1: {
			{Key: []byte("k"), Time: 5, Headers: []record.Header{{Key: "h", Value: []byte{}}, {Key: "null"}}},
			{Value: []byte{}, Time: 1, Offset: 1},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestASessionFailsAsAWhole(t *testing.T) {
	_, c := connect(t)
	s, other := c.Session(t.Context(), 1), c.Session(t.Context(), 0)
	send(t, s, task.Outgoing{Topic: "t", Partition: 7, Value: []byte("nowhere"), Changelog: -1})
	send(t, other, task.Outgoing{Topic: "t", Partition: 1, Value: []byte("fine"), Changelog: -1})
	var failed *SendError
	if err := s.Flush(t.Context()); !errors.As(err, &failed) || failed.Topic != "t" || failed.Size != 7 {
		t.Errorf("flush: %v, want the failure to send 7 bytes to t", err)
	}
	if err := s.Send(&task.Outgoing{Topic: "t", Value: []byte("too late"), Changelog: -1}); !errors.As(err, &failed) {
		t.Errorf("send after a failure: %v", err)
	}
	if err := s.Flush(t.Context()); !errors.As(err, &failed) {
		t.Errorf("flush after a failure: %v", err)
	}
	if err := other.Flush(t.Context()); err != nil {
		t.Errorf("the failure got into another session: %v", err)
	}
}

func TestACancelledSessionDoesNotLookWritten(t *testing.T) {
	_, c := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := c.Session(ctx, 0)
	cancel()
	if err := s.Send(&task.Outgoing{Topic: "t", Value: []byte("x"), Changelog: -1}); err != nil {
		t.Fatal(err)
	}
	// Whether it was in time is open, but there must be an answer.
	if err := s.Flush(t.Context()); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("flush: %v", err)
	}
	if n := s.InFlight(); n != 0 {
		t.Errorf("%d records in flight after a flush", n)
	}
}

func TestTopics(t *testing.T) {
	_, c := connect(t)
	ctx := t.Context()
	found, missing, err := c.Topics(ctx, "t", "none", "nor this")
	if err == nil {
		t.Errorf("an invalid name is no error: %v, %v", found, missing)
	}
	found, missing, err = c.Topics(ctx, "t", "none")
	if err != nil || len(found) != 1 || found[0].Name != "t" || found[0].Partitions != 2 || !slices.Equal(missing, []string{"none"}) {
		t.Errorf("topics: %v, %v, %v", found, missing, err)
	}
	news := []NewTopic{{Name: "t", Partitions: 2}, {Name: "u", Partitions: 3, Configs: map[string]string{"cleanup.policy": "compact"}}}
	for range 2 {
		if err := c.CreateTopics(ctx, news); err != nil {
			t.Fatal(err)
		}
	}
	var count *CountError
	if err := c.CreateTopics(ctx, []NewTopic{{Name: "u", Partitions: 4}}); !errors.As(err, &count) || count.Have != 3 || count.Want != 4 {
		t.Errorf("another number of partitions: %v", err)
	}
	err = c.CreateTopics(ctx, []NewTopic{{Name: "v", Partitions: 1, Configs: map[string]string{"cleanup.policy": "never"}}})
	if err == nil || !strings.Contains(err.Error(), "topic v") {
		t.Errorf("a bad setting: %v", err)
	}
}

func TestOffsets(t *testing.T) {
	_, c := connect(t)
	ctx := t.Context()
	fill(t, c, 10)
	if err := c.Purge(ctx, map[record.TopicPartition]int64{tp("t", 0): 4}); err != nil {
		t.Fatal(err)
	}
	both := []record.TopicPartition{tp("t", 0), tp("t", 1)}
	starts, err := c.Starts(ctx, both)
	if err != nil || starts[both[0]] != 4 || starts[both[1]] != 0 {
		t.Errorf("starts: %v, %v", starts, err)
	}
	ends, err := c.Ends(ctx, both)
	if err != nil || ends[both[0]] != 10 || ends[both[1]] != 0 {
		t.Errorf("ends: %v, %v", ends, err)
	}
	for from, want := range map[int64]int64{0: 4, 4: 4, 7: 7, 10: 10} {
		if got, err := c.NextRecord(ctx, both[0], from); err != nil || got != want {
			t.Errorf("next record from %d: %d, %v, want %d", from, got, err, want)
		}
	}
	if _, err := c.NextRecord(ctx, tp("none", 0), 0); !errors.Is(err, ErrUnknownTopic) {
		t.Errorf("next record of a topic that isn't there: %v", err)
	}
}

// events collects what a group's callbacks tell.
type events struct {
	assigned chan []Assigned
	revoked  chan []record.TopicPartition
}

func join(t *testing.T, cfg Config, gc GroupConfig) (*Group, events) {
	t.Helper()
	e := events{make(chan []Assigned, 10), make(chan []record.TopicPartition, 10)}
	gc.Group, gc.Topics = "g", []string{"t"}
	gc.OnAssigned = func(as []Assigned) { e.assigned <- as }
	gc.OnRevoked = func(tps []record.TopicPartition) { e.revoked <- tps }
	if gc.Assign == nil {
		gc.Assign = func(members []Member, partitions map[string]int32) (map[string][]record.TopicPartition, error) {
			out := map[string][]record.TopicPartition{}
			for p := range partitions["t"] {
				id := members[int(p)%len(members)].ID
				out[id] = append(out[id], tp("t", p))
			}
			return out, nil
		}
	}
	g, err := Join(cfg, gc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close(context.Background()) })
	return g, e
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing was heard of the group")
		panic("not reached")
	}
}

// pollUntil polls until it has n records.
func pollUntil(t *testing.T, g *Group, n int) (out []record.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for len(out) < n {
		batches, err := g.Poll(ctx, 0, nil)
		g.Release()
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			out = append(out, b.Records...)
		}
	}
	return out
}

func TestAGroupGoesOnWhereItCommitted(t *testing.T) {
	cfg, c := connect(t)
	fill(t, c, 10)
	g, e := join(t, cfg, GroupConfig{})
	as := receive(t, e.assigned)
	want := []Assigned{
		{tp("t", 0), Committed{Offset: -1, LeaderEpoch: -1}, 0},
		{tp("t", 1), Committed{Offset: -1, LeaderEpoch: -1}, 0},
	}
	if d := cmp.Diff(want, as); d != "" {
		t.Errorf("first assignment (-want +got)\n%s", d)
	}
	recs := pollUntil(t, g, 10)
	err := g.Commit(t.Context(), []Offset{{tp("t", 0), 6, recs[5].LeaderEpoch, "note"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tps := receive(t, e.revoked); len(tps) != 2 {
		t.Errorf("revoked %v, want both partitions", tps)
	}
	g, e = join(t, cfg, GroupConfig{Reset: Latest})
	as = receive(t, e.assigned)
	want = []Assigned{
		{tp("t", 0), Committed{Offset: 6, LeaderEpoch: recs[5].LeaderEpoch, Metadata: "note"}, 6},
		{tp("t", 1), Committed{Offset: -1, LeaderEpoch: -1}, 0},
	}
	if d := cmp.Diff(want, as); d != "" {
		t.Errorf("second assignment (-want +got)\n%s", d)
	}
	if recs = pollUntil(t, g, 4); recs[0].Offset != 6 || len(recs) != 4 {
		t.Errorf("got %d records from offset %d, want 4 from 6", len(recs), recs[0].Offset)
	}
	committed, err := c.Committed(t.Context(), "g")
	if err != nil || len(committed) != 1 || committed[tp("t", 0)].Offset != 6 {
		t.Errorf("committed: %v, %v", committed, err)
	}
}

func TestLatestBeginsAtTheEnd(t *testing.T) {
	cfg, c := connect(t)
	fill(t, c, 3)
	g, e := join(t, cfg, GroupConfig{Reset: Latest})
	if as := receive(t, e.assigned); as[0].Position != 3 || as[0].Offset != -1 {
		t.Errorf("assigned %+v, want position 3 and no commit", as[0])
	}
	fill(t, c, 2)
	if recs := pollUntil(t, g, 2); recs[0].Offset != 3 {
		t.Errorf("the first record has offset %d, want 3", recs[0].Offset)
	}
}

func TestPartitionsMoveToANewMember(t *testing.T) {
	cfg, c := connect(t)
	a, ea := join(t, cfg, GroupConfig{UserData: func() []byte { return []byte("a") }})
	if as := receive(t, ea.assigned); len(as) != 2 {
		t.Fatalf("assigned %v, want both partitions", as)
	}
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // a member has to poll for its callbacks to be called
		defer close(done)
		for ctx.Err() == nil {
			_, _ = a.Poll(ctx, 0, nil)
			a.Release()
		}
	}()
	_, eb := join(t, cfg, GroupConfig{UserData: func() []byte { return []byte("b") }})
	gone, got := receive(t, ea.revoked), receive(t, eb.assigned)
	if len(gone) != 1 || len(got) != 1 || gone[0] != got[0].TopicPartition {
		t.Errorf("one gave up %v, the other got %v", gone, got)
	}
	fill(t, c, 1)
	cancel()
	<-done
	err := a.Commit(t.Context(), []Offset{{gone[0], 0, -1, ""}})
	if !errors.Is(err, ErrFenced) {
		t.Errorf("commit of a partition that moved: %v, want ErrFenced", err)
	}
}

func TestPausedPartitionsStayBehind(t *testing.T) {
	cfg, c := connect(t)
	fill(t, c, 5)
	g, err := Join(cfg, GroupConfig{
		Group: "g", Topics: []string{"t"},
		Assign: func(members []Member, _ map[string]int32) (map[string][]record.TopicPartition, error) {
			return map[string][]record.TopicPartition{members[0].ID: {tp("t", 0), tp("t", 1)}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close(t.Context())
	g.Pause([]record.TopicPartition{tp("t", 0)})
	s := c.Session(t.Context(), 0)
	send(t, s, task.Outgoing{Topic: "t", Partition: 1, Value: []byte("x"), Changelog: -1})
	if recs := pollUntil(t, g, 1); len(recs) != 1 || string(recs[0].Value) != "x" {
		t.Errorf("got %d records while t-0 is paused, want that of t-1", len(recs))
	}
	g.Resume([]record.TopicPartition{tp("t", 0)})
	if recs := pollUntil(t, g, 5); len(recs) != 5 || recs[0].Offset != 0 {
		t.Errorf("got %d records from offset %d after t-0 is resumed, want all 5", len(recs), recs[0].Offset)
	}
}

func TestUnreachableBrokers(t *testing.T) {
	c, err := Open(Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Ready(ctx); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v, want ErrUnreachable with the address", err)
	}
}
