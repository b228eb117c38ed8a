package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
)

func tp(topic string, partition int32) record.TopicPartition {
	return record.TopicPartition{Topic: topic, Partition: partition}
}

func TestPartitioner(t *testing.T) {
	p := newPartitioner().ForTopic("t")
	// The hashes are murmur2 as Kafka's own clients compute it; they cut off
	// the sign bit.
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "": 275646681} {
		for _, n := range []int{1, 3, 12} {
			want := int(hash&0x7fffffff) % n
			if got := p.Partition(&kgo.Record{Key: []byte(key), Partition: -1}, n); got != want {
				t.Errorf("key %q of %d partitions: %d, want %d", key, n, got, want)
			}
		}
	}
	if got := p.Partition(&kgo.Record{Key: []byte("21"), Partition: 7}, 12); got != 7 {
		t.Errorf("a record for partition 7 goes to %d", got)
	}
	seen := map[int]bool{}
	for range 200 {
		seen[p.Partition(&kgo.Record{Partition: -1}, 3)] = true
		p.(kgo.TopicPartitionerOnNewBatch).OnNewBatch()
	}
	if len(seen) != 3 {
		t.Errorf("records without a key reach %d of 3 partitions", len(seen))
	}
}

func TestConvert(t *testing.T) {
	var p pool
	in := &kgo.FetchPartition{Partition: 2, HighWatermark: 50, Records: []*kgo.Record{
		{Key: nil, Value: []byte{}, Timestamp: time.UnixMilli(-1), Offset: 40, LeaderEpoch: 3},
		{Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}, Timestamp: time.UnixMilli(9), Offset: 43, LeaderEpoch: -1},
	}}
	got := p.convert(nil, "t", in)
	want := []Batch{{
		TopicPartition: tp("t", 2), Next: 44, Bytes: 1, HighWatermark: 50,
		Records: []record.Record{
			{Value: []byte{}, Time: -1, Offset: 40, LeaderEpoch: 3},
			{Key: []byte("k"), Headers: []record.Header{{Key: "h", Value: []byte("v")}}, Time: 9, Offset: 43, LeaderEpoch: -1},
		},
	}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got := p.convert(nil, "t", &kgo.FetchPartition{}); len(got) != 0 {
		t.Errorf("a batch of nothing: %v", got)
	}
}

func TestPoolReusesAndForgets(t *testing.T) {
	var p pool
	a := append(p.records.take(4), record.Record{Key: []byte("k")})
	p.put(a)
	b := p.records.take(3)
	if &a[0] != &b[:1][0] {
		t.Error("the slice that was put back isn't used again")
	}
	if a[0].Key != nil {
		t.Error("a slice in the pool still holds a record")
	}
	if c := p.records.take(3); cap(c) > 0 && &c[:1][0] == &b[:1][0] {
		t.Error("the same slice was given out twice")
	}
}

// joined makes the members of a JoinGroup response out of what the balancer
// itself sends.
func joined(t *testing.T, owned map[string][]record.TopicPartition) []kmsg.JoinGroupResponseMember {
	t.Helper()
	var members []kmsg.JoinGroupResponseMember
	for _, id := range sortedKeys(owned) {
		b := &balancer{userData: func() []byte { return []byte("of " + id) }}
		members = append(members, kmsg.JoinGroupResponseMember{
			MemberID:         id,
			ProtocolMetadata: b.JoinGroupMetadata([]string{"t"}, nest(owned[id]), 5),
		})
	}
	return members
}

func balance(t *testing.T, assign AssignFunc, owned map[string][]record.TopicPartition) (map[string][]record.TopicPartition, error) {
	t.Helper()
	b := &balancer{assign: assign}
	mb, topics, err := b.MemberBalancer(joined(t, owned))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := topics["t"]; !ok || len(topics) != 1 {
		t.Errorf("topics of the group: %v, want t", topics)
	}
	into, err := mb.(kgo.GroupMemberBalancerOrError).BalanceOrError(map[string]int32{"t": 3})
	if err != nil {
		return nil, err
	}
	out := map[string][]record.TopicPartition{}
	for _, a := range into.IntoSyncAssignment() {
		m, err := b.ParseSyncAssignment(a.MemberAssignment)
		if err != nil {
			t.Fatal(err)
		}
		out[a.MemberID] = flatten(m)
	}
	return out, nil
}

func TestBalancerMovesInTwoSteps(t *testing.T) {
	var seen []Member
	assign := func(members []Member, partitions map[string]int32) (map[string][]record.TopicPartition, error) {
		seen = members
		if partitions["t"] != 3 {
			t.Errorf("%d partitions, want 3", partitions["t"])
		}
		return map[string][]record.TopicPartition{"a": {tp("t", 0)}, "b": {tp("t", 1), tp("t", 2)}}, nil
	}
	// b is new: what a still has of b's is assigned to nobody at first.
	got, err := balance(t, assign, map[string][]record.TopicPartition{"a": {tp("t", 0), tp("t", 1)}, "b": nil})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]record.TopicPartition{"a": {tp("t", 0)}, "b": {tp("t", 2)}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	wantSeen := []Member{
		{ID: "a", Generation: 5, Topics: []string{"t"}, UserData: []byte("of a"), Owned: []record.TopicPartition{tp("t", 0), tp("t", 1)}},
		{ID: "b", Generation: 5, Topics: []string{"t"}, UserData: []byte("of b")},
	}
	if d := cmp.Diff(wantSeen, seen); d != "" {
		t.Errorf("members (-want +got)\n%s", d)
	}
}

func TestBalancerReportsBadPlans(t *testing.T) {
	own := errors.New("own")
	for name, assign := range map[string]AssignFunc{
		"own error": func([]Member, map[string]int32) (map[string][]record.TopicPartition, error) { return nil, own },
		"twice": func([]Member, map[string]int32) (map[string][]record.TopicPartition, error) {
			return map[string][]record.TopicPartition{"a": {tp("t", 0)}, "b": {tp("t", 0)}}, nil
		},
		"stranger": func([]Member, map[string]int32) (map[string][]record.TopicPartition, error) {
			return map[string][]record.TopicPartition{"x": nil}, nil
		},
	} {
		got, err := balance(t, assign, map[string][]record.TopicPartition{"a": nil, "b": nil})
		if err == nil {
			t.Errorf("%s: no error, but plan %v", name, got)
		}
		if name == "own error" && !errors.Is(err, own) {
			t.Errorf("%s: error %v does not wrap it", name, err)
		}
	}
}

func TestGroupTellsOfEveryPartitionOnce(t *testing.T) {
	var told []string
	note := func(what string) func([]record.TopicPartition) {
		return func(tps []record.TopicPartition) { told = append(told, fmt.Sprint(what, tps)) }
	}
	k, err := kgo.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ready := make(chan struct{})
	close(ready)
	g := &Group{k: k, ready: ready, has: map[record.TopicPartition]string{}, committed: map[record.TopicPartition]Committed{}, cfg: GroupConfig{
		OnAssigned: func(as []Assigned) {
			for _, a := range as {
				told = append(told, fmt.Sprint("+", a.TopicPartition, " ", a.Offset, " ", a.Position, " ", a.Metadata))
			}
		},
	}}
	assigned := func(offset int64, partitions ...int32) {
		var ps []kmsg.OffsetFetchResponseGroupTopicPartition
		begin := map[int32]kgo.Offset{}
		for _, p := range partitions {
			ps = append(ps, kmsg.OffsetFetchResponseGroupTopicPartition{Partition: p, Offset: offset, Metadata: kmsg.StringPtr("m")})
			begin[p] = kgo.NewOffset().At(max(offset, 3))
		}
		g.fetched(t.Context(), nil, &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{
			Topics: []kmsg.OffsetFetchResponseGroupTopic{{Topic: "t", Partitions: ps}},
		}}})
		if _, err := g.begin(t.Context(), map[string]map[int32]kgo.Offset{"t": begin}); err != nil {
			t.Fatal(err)
		}
	}
	assigned(7, 0, 1)
	assigned(-1, 1, 2) // 1 again: a rebalance came in between
	g.gone(map[string][]int32{"t": {3, 1}}, note("-"))
	g.gone(map[string][]int32{"t": {1}}, note("-"))
	g.gone(nil, note("-"))
	assigned(9, 1)
	g.cfg.OnLost = note("lost ")
	g.lost()
	g.lost()
	want := []string{"+t-0 7 7 m", "+t-1 7 7 m", "+t-2 -1 3 m", "-[t-1]", "+t-1 9 9 m", "lost [t-0 t-1 t-2]"}
	if d := cmp.Diff(want, told); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestCommitErrorsAreTyped(t *testing.T) {
	for _, c := range []struct{ err, want error }{
		{kerr.IllegalGeneration, ErrFenced},
		{kerr.UnknownMemberID, ErrFenced},
		{&PartitionError{tp("t", 1), "commit", kerr.UnknownMemberID}, ErrFenced},
		{kerr.RebalanceInProgress, ErrRebalancing},
		{kgo.ErrClientClosed, ErrClosed},
		{context.Canceled, context.Canceled},
	} {
		if got := commitError(c.err); !errors.Is(got, c.want) {
			t.Errorf("%v becomes %v, want %v", c.err, got, c.want)
		}
	}
	var pe *PartitionError
	if err := commitError(&PartitionError{tp("t", 1), "commit", kerr.UnknownMemberID}); !errors.As(err, &pe) || pe.Partition != 1 {
		t.Errorf("%v lost its partition", err)
	}
}

func TestConfigCheck(t *testing.T) {
	for want, c := range map[string]Config{
		"no broker addresses": {},
		"empty broker":        {Brokers: []string{"a:1", " "}},
		"not one of PLAIN":    {Brokers: []string{"a:1"}, SASL: &SASL{Mechanism: "GUESS"}},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for _, m := range []Mechanism{Plain, ScramSHA256, ScramSHA512} {
		c := Config{Brokers: []string{"a:1"}, SASL: &SASL{Mechanism: m}}
		if err := c.Check(); err != nil {
			t.Errorf("%s: %v", m, err)
		}
	}
}

func TestLoggerDoesNotRepeatItself(t *testing.T) {
	var out bytes.Buffer
	now := &stopped{at: time.UnixMilli(0)}
	l := newLogger(slog.New(slog.NewTextHandler(&out, nil)), now)
	say := func(n int) {
		for range n {
			l.Log(kgo.LogLevelWarn, "broker is down", "broker", 1)
		}
	}
	say(100)
	l.Log(kgo.LogLevelError, "something else")
	now.at = now.at.Add(repeat)
	say(5)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 || !strings.Contains(lines[2], "repeated=99") {
		t.Errorf("logged:\n%s", out.String())
	}
}

// stopped is a clock that stands still.
type stopped struct {
	clock.Clock
	at time.Time
}

func (s *stopped) Now() time.Time { return s.at }

func TestFlattenAndNest(t *testing.T) {
	in := []record.TopicPartition{tp("b", 1), tp("a", 2), tp("b", 0)}
	got := flatten(nest(in))
	slices.SortFunc(in, compare)
	if d := cmp.Diff(in, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestARefusedConnectionIsWorthWaitingFor(t *testing.T) {
	err := patient(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)})
	if !kgo.IsRetryableBrokerErr(err) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v isn't retried, or isn't what it was", err)
	}
	for _, err := range []error{
		nil,
		errors.New("other"),
		&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{IsNotFound: true}},
		&net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
	} {
		if got := patient(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}
