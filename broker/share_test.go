package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// configureGroup sets configs of a group.
func configureGroup(t *testing.T, b *Broker, group string, configs ...string) {
	t.Helper()
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	for _, kv := range configs {
		name, value, _ := strings.Cut(kv, "=")
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = name, &value
		res.Configs = append(res.Configs, c)
	}
	r.Resources = append(r.Resources, res)
	resp, err := r.RequestWith(timeout(t), client(t, b))
	if err == nil {
		err = kerr.ErrorForCode(resp.Resources[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sharer is a member of share group g, which consumes topic t.
func sharer(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	return client(t, b, append([]kgo.Opt{kgo.ShareGroup("g"), kgo.ConsumeTopics("t"), kgo.FetchMaxWait(100 * time.Millisecond)}, opts...)...)
}

func shareOffsets(t *testing.T, b *Broker) (start int64, lag int64) {
	t.Helper()
	r := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	r.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: "g"}}
	resp, err := r.RequestWith(timeout(t), client(t, b))
	if err == nil {
		err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range resp.Groups[0].Topics {
		for _, p := range topic.Partitions {
			start, lag = start+p.StartOffset, lag+p.Lag
		}
	}
	return start, lag
}

// Each record goes to members until one accepts or rejects it, over a restart too.
func TestShareGroup(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir, DefaultPartitions: 3})
	configureGroup(t, b, "g", "share.auto.offset.reset=earliest", "share.assignment.interval.ms=0")
	if err := b.CreateTopic(t.Context(), "t", 3); err != nil {
		t.Fatal(err)
	}
	p := client(t, b)
	const n = 300
	produce(t, p, "t", numbers("v", n)...)

	var mu sync.Mutex
	seen := map[string]int{} // deliveries
	done := map[string]bool{}
	work := func(c *kgo.Client, until int) {
		ctx := timeout(t)
		for ctx.Err() == nil {
			mu.Lock()
			enough := len(done) >= until
			mu.Unlock()
			if enough {
				break
			}
			poll, cancel := context.WithTimeout(ctx, time.Second)
			fs := c.PollFetches(poll)
			cancel()
			fs.EachRecord(func(r *kgo.Record) {
				mu.Lock()
				defer mu.Unlock()
				v := string(r.Value)
				seen[v]++
				if done[v] {
					t.Errorf("%s was done and is delivered again", v)
				}
				switch {
				case len(v)%2 == 0 && seen[v] == 1:
					r.Ack(kgo.AckRelease)
				case seen[v] == 1 && strings.HasSuffix(v, "7"):
					r.Ack(kgo.AckReject)
					done[v] = true
				default:
					r.Ack(kgo.AckAccept)
					done[v] = true
				}
			})
			if err := c.FlushAcks(ctx); err != nil {
				t.Error(err)
			}
		}
		c.Close()
	}
	members := func(b *Broker, until int) {
		var wg sync.WaitGroup
		for range 2 {
			c := sharer(t, b, kgo.ShareMaxRecords(20))
			wg.Go(func() { work(c, until) })
		}
		wg.Wait()
	}
	members(b, n/2)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, Config{Dir: dir})
	members(b, n)
	if len(done) != n {
		t.Fatalf("%d records of %d", len(done), n)
	}
	for v, count := range seen {
		if want := 2 - len(v)%2; count < want && !strings.HasSuffix(v, "7") {
			t.Errorf("%s was released once, and delivered %d times", v, count)
		}
	}
	if at, lag := shareOffsets(t, b); at != n || lag != 0 {
		t.Errorf("offsets sum up to %d, the lag to %d", at, lag)
	}
}

// A record that nobody processes is delivered five times, and then to nobody.
func TestShareGroup_DeliveryLimit(t *testing.T) {
	b := start(t, Config{})
	configureGroup(t, b, "g", "share.auto.offset.reset=earliest")
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	produce(t, client(t, b), "t", "bad", "good")
	c := sharer(t, b)
	var got []string
	for ctx := timeout(t); ctx.Err() == nil; {
		fs := c.PollFetches(ctx)
		fs.EachRecord(func(r *kgo.Record) {
			got = append(got, fmt.Sprint(string(r.Value), r.DeliveryCount()))
			if string(r.Value) == "bad" {
				r.Ack(kgo.AckRelease)
			}
		})
		if err := c.FlushAcks(ctx); err != nil {
			t.Fatal(err)
		}
		if at, _ := shareOffsets(t, b); at == 2 {
			break
		}
	}
	slices.Sort(got)
	if want := []string{"bad1", "bad2", "bad3", "bad4", "bad5", "good1"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What a member has when it is gone without a word goes to others.
func TestShareGroup_ConnectionLost(t *testing.T) {
	b := start(t, Config{})
	configureGroup(t, b, "g", "share.auto.offset.reset=earliest")
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	produce(t, client(t, b), "t", "x")
	id := b.catalog.Image().Topic("t").ID
	ctx := timeout(t)
	raw := client(t, b, kgo.MaxVersions(nil))
	join := kmsg.NewPtrShareGroupHeartbeatRequest()
	join.GroupID, join.MemberID, join.SubscribedTopicNames = "g", "m", []string{"t"}
	if resp, err := join.RequestWith(ctx, raw); err != nil || resp.ErrorCode != 0 || resp.Assignment == nil || len(resp.Assignment.TopicPartitions) != 1 {
		t.Fatalf("%+v, %v", resp, err)
	}
	fetch := func(c *kgo.Client, member string, delivery int16) int {
		f := kmsg.NewPtrShareFetchRequest()
		f.GroupID, f.MemberID, f.MaxWaitMillis, f.MinBytes, f.MaxRecords, f.BatchSize = kmsg.StringPtr("g"), &member, 5000, 1, 100, 100
		f.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: id, Partitions: []kmsg.ShareFetchRequestTopicPartition{{Partition: 0}}}}
		resp, err := f.RequestWith(ctx, c)
		if err != nil || resp.ErrorCode != 0 {
			t.Fatalf("%+v, %v", resp, err)
		}
		got := 0
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				for _, a := range p.AcquiredRecords {
					got += int(a.LastOffset - a.FirstOffset + 1)
					if a.DeliveryCount != delivery {
						t.Errorf("delivery %d", a.DeliveryCount)
					}
				}
			}
		}
		return got
	}
	if got := fetch(raw, "m", 1); got != 1 {
		t.Fatalf("%d records", got)
	}
	raw.Close()
	// The other waits for it.
	if got := fetch(client(t, b), "n", 2); got != 1 {
		t.Errorf("%d records after the other was gone", got)
	}
}

// Only committed records are delivered to who wants these only.
func TestShareGroup_ReadCommitted(t *testing.T) {
	b := start(t, Config{})
	configureGroup(t, b, "g", "share.auto.offset.reset=earliest", "share.isolation.level=read_committed")
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	p := client(t, b, kgo.TransactionalID("tx"))
	var want []string
	for i := range 6 {
		if err := p.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, p, "t", fmt.Sprint("v", i))
		end := kgo.TryCommit
		if i%2 == 1 {
			end = kgo.TryAbort
		} else {
			want = append(want, fmt.Sprint("v", i))
		}
		if err := endTxn(p, timeout(t), end); err != nil {
			t.Fatal(err)
		}
	}
	c := sharer(t, b)
	if got := consume(t, c, len(want)); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c.MarkAcks(kgo.AckAccept)
	if err := c.FlushAcks(timeout(t)); err != nil {
		t.Error(err)
	}
	c.Close()
	if at, lag := shareOffsets(t, b); at != 12 || lag != 0 {
		t.Errorf("at %d, %d behind", at, lag)
	}
}

// A group begins where its config says, which holds from its first fetch on.
func TestShareGroup_OffsetReset(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	p := client(t, b, kgo.DefaultProduceTopic("t"))
	old, recent := time.Now().Add(-2*time.Hour), time.Now()
	for _, r := range []*kgo.Record{{Value: []byte("old"), Timestamp: old}, {Value: []byte("recent"), Timestamp: recent}} {
		if err := p.ProduceSync(timeout(t), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for group, reset := range map[string]string{"earliest": "earliest", "ago": "by_duration:PT1H", "latest": "latest"} {
		configureGroup(t, b, group, "share.auto.offset.reset="+reset)
	}
	// All begin before the last record is written.
	want := map[string][]string{"earliest": {"old", "recent", "new"}, "ago": {"recent", "new"}, "latest": {"new"}}
	members := map[string]*kgo.Client{}
	for group := range want {
		members[group] = client(t, b, kgo.ShareGroup(group), kgo.ConsumeTopics("t"), kgo.FetchMaxWait(50*time.Millisecond))
	}
	got := map[string][]string{}
	for group, c := range members {
		if n := len(want[group]) - 1; n > 0 {
			got[group] = consume(t, c, n)
		}
	}
	for ctx := timeout(t); ; { // until the one that begins at the end has begun
		r := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
		r.Groups = []kmsg.DescribeShareGroupOffsetsRequestGroup{{GroupID: "latest"}}
		resp, err := r.RequestWith(ctx, p)
		if err != nil {
			t.Fatal(err)
		}
		if ts := resp.Groups[0].Topics; len(ts) == 1 && ts[0].Partitions[0].StartOffset == 2 {
			break
		}
	}
	produce(t, p, "t", "new")
	for group, c := range members {
		if got := append(got[group], consume(t, c, 1)...); !slices.Equal(got, want[group]) {
			t.Errorf("%s: %v, want %v", group, got, want[group])
		}
	}
}

// Offsets may be set before anybody joins, which makes the group.
func TestShareGroup_OffsetsBeforeMembers(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	produce(t, client(t, b), "t", numbers("v", 10)...)
	if code := alterShareOffset(t, b, 7); code != 0 {
		t.Fatal(code)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, Config{Dir: dir})
	if at, lag := shareOffsets(t, b); at != 7 || lag != 3 {
		t.Errorf("at %d, %d behind", at, lag)
	}
	if got, want := consume(t, sharer(t, b), 3), numbers("v", 10)[7:]; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// alterShareOffset sets the offset of partition 0, and returns the error code.
func alterShareOffset(t *testing.T, b *Broker, offset int64) int16 {
	t.Helper()
	r := kmsg.NewPtrAlterShareGroupOffsetsRequest()
	r.GroupID = "g"
	r.Topics = []kmsg.AlterShareGroupOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.AlterShareGroupOffsetsRequestTopicPartition{{StartOffset: offset}}}}
	resp, err := r.RequestWith(timeout(t), client(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != 0 {
		return resp.ErrorCode
	}
	return resp.Topics[0].Partitions[0].ErrorCode
}

// The admin calls of share groups.
func TestShareGroup_Admin(t *testing.T) {
	b := start(t, Config{})
	configureGroup(t, b, "g", "share.auto.offset.reset=earliest", "share.assignment.interval.ms=0")
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	produce(t, client(t, b), "t", numbers("v", 10)...)
	c := sharer(t, b)
	consume(t, c, 10)
	adm, ctx := kadm.NewClient(client(t, b)), timeout(t)
	ds, err := adm.DescribeShareGroups(ctx, "g", "none")
	if err != nil || len(ds["g"].Members) != 1 || ds["g"].GroupState != "Stable" || ds["none"].Err == nil {
		t.Errorf("%+v, %v", ds, err)
	}
	if code := alterShareOffset(t, b, 4); code != kerr.NonEmptyGroup.Code {
		t.Errorf("offsets of a group with members: %d", code)
	}
	c.Close()
	if code := alterShareOffset(t, b, 4); code != 0 {
		t.Errorf("alter: %d", code)
	}
	if at, lag := shareOffsets(t, b); at != 4 || lag != 6 {
		t.Errorf("at %d, %d behind", at, lag)
	}
	c = sharer(t, b)
	if got, want := consume(t, c, 6), numbers("v", 10)[4:]; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	c.Close()
	r := kmsg.NewPtrDeleteShareGroupOffsetsRequest()
	r.GroupID, r.Topics = "g", []kmsg.DeleteShareGroupOffsetsRequestTopic{{Topic: "t"}, {Topic: "none"}}
	resp, err := r.RequestWith(ctx, client(t, b))
	if err != nil || resp.ErrorCode != 0 || resp.Topics[0].ErrorCode != 0 || resp.Topics[1].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("%+v, %v", resp, err)
	}
	if at, _ := shareOffsets(t, b); at != 0 {
		t.Errorf("deleted, and at %d", at)
	}
	if _, err := adm.DeleteGroup(ctx, "g"); err != nil {
		t.Error(err)
	}
	if ds, err := adm.DescribeShareGroups(ctx, "g"); err != nil || ds["g"].Err == nil {
		t.Errorf("deleted, and %+v, %v", ds, err)
	}
}
