package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/vfs"
)

// quick lets members of consumer groups meet without much waiting.
func quick() map[string]string {
	return map[string]string{
		"group.consumer.min.heartbeat.interval.ms": "50",
		"group.consumer.heartbeat.interval.ms":     "50",
		"group.consumer.assignment.interval.ms":    "0",
	}
}

// consumer starts a member of the consumer group g, to which the broker assigns
// partitions, and lets it poll until the test is over.
func consumer(t *testing.T, b *Broker, name string, got func(*kgo.Record), opts ...kgo.Opt) (*kgo.Client, *assigned) {
	t.Helper()
	a := &assigned{has: map[int32]bool{}, name: name}
	c := client(t, b, append([]kgo.Opt{
		kgo.ServerSideBalancer(), kgo.ClientID(name), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsAssigned(a.add), kgo.OnPartitionsRevoked(a.drop), kgo.OnPartitionsLost(a.drop),
	}, opts...)...)
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		for ctx.Err() == nil {
			c.PollFetches(ctx).EachRecord(got)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return c, a
}

// balanced says whether each member has so many partitions, and all together all.
func balanced(partitions, each int, members ...*assigned) func() bool {
	return func() bool {
		var all []int32
		for _, m := range members {
			ps := m.partitions()
			if len(ps) != each {
				return false
			}
			all = append(all, ps...)
		}
		slices.Sort(all)
		return len(slices.Compact(all)) == partitions
	}
}

func describeConsumers(t *testing.T, c *kgo.Client, id string) kmsg.ConsumerGroupDescribeResponseGroup {
	t.Helper()
	r := kmsg.NewPtrConsumerGroupDescribeRequest()
	r.Groups = []string{id}
	resp, err := r.RequestWith(timeout(t), c)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Groups[0]
}

func TestConsumerGroup_MembersComeAndGo(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Set: quick()})
	const partitions, records = 6, 600
	if err := b.CreateTopic(t.Context(), "t", partitions); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	got := func(r *kgo.Record) {
		mu.Lock()
		defer mu.Unlock()
		seen[string(r.Value)]++
	}
	var members []*assigned
	var clients []*kgo.Client
	for i := range 3 {
		c, a := consumer(t, b, fmt.Sprint("m", i), got)
		members, clients = append(members, a), append(clients, c)
	}
	eventually(t, "three members have two partitions each", balanced(partitions, 2, members...))
	other := client(t, b)
	produce(t, other, "t", numbers("v", records)...)
	eventually(t, "all records are consumed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == records
	})
	if d := describeConsumers(t, other, "g"); d.ErrorCode != 0 || d.AssignorName != "uniform" || len(d.Members) != 3 {
		t.Errorf("group: %+v", d)
	}
	if err := clients[2].CommitUncommittedOffsets(timeout(t)); err != nil {
		t.Error(err)
	}
	clients[2].Close()
	eventually(t, "two members have three partitions each", balanced(partitions, 3, members[:2]...))

	adm := kadm.NewClient(other)
	if _, err := adm.UpdatePartitions(timeout(t), 8, "t"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new partitions have owners", balanced(8, 4, members[:2]...))
	eventually(t, "the group is stable", func() bool { return describeConsumers(t, other, "g").State == "Stable" })
	gs, err := adm.ListGroups(timeout(t))
	if err != nil || gs["g"].State != "Stable" || gs["g"].ProtocolType != "consumer" {
		t.Errorf("groups: %+v, %v", gs, err)
	}
	clients[0].Close()
	clients[1].Close()
	if d := describeConsumers(t, other, "g"); d.State != "Empty" {
		t.Errorf("when all have gone: %s", d.State)
	}
	if _, err := adm.DeleteGroups(timeout(t), "g"); err != nil {
		t.Error(err)
	}
	if d := describeConsumers(t, other, "g"); d.ErrorCode == 0 {
		t.Errorf("a deleted group: %+v", d)
	}
}

// A pattern takes in topics that come later.
func TestConsumerGroup_Regex(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Set: quick()})
	for _, name := range []string{"orders-1", "other"} {
		if err := b.CreateTopic(t.Context(), name, 1); err != nil {
			t.Fatal(err)
		}
	}
	other := client(t, b)
	beat := func(h *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
		h.Group, h.MemberID = "r", "m"
		resp, err := h.RequestWith(timeout(t), other)
		if err != nil {
			t.Fatal(err)
		}
		return resp
	}
	join := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	join.Topics, join.SubscribedTopicRegex, join.RebalanceTimeoutMillis = []kmsg.ConsumerGroupHeartbeatRequestTopic{}, kmsg.StringPtr("orders-.*"), 1000
	resp := beat(join)
	if resp.ErrorCode != 0 || len(resp.Assignment.Topics) != 1 {
		t.Fatalf("join: %+v", resp)
	}
	if err := b.CreateTopic(t.Context(), "orders-2", 1); err != nil {
		t.Fatal(err)
	}
	next := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	next.MemberEpoch = resp.MemberEpoch
	if resp = beat(next); resp.ErrorCode != 0 || resp.Assignment == nil || len(resp.Assignment.Topics) != 2 {
		t.Fatalf("after a topic was made: %+v", resp)
	}
	if _, err := kadm.NewClient(other).DeleteTopic(timeout(t), "orders-1"); err != nil {
		t.Fatal(err)
	}
	next = kmsg.NewPtrConsumerGroupHeartbeatRequest()
	next.MemberEpoch = resp.MemberEpoch
	if resp = beat(next); resp.ErrorCode != 0 || resp.Assignment == nil || len(resp.Assignment.Topics) != 1 {
		t.Fatalf("after a topic was deleted: %+v", resp)
	}
	join = kmsg.NewPtrConsumerGroupHeartbeatRequest()
	join.Topics, join.SubscribedTopicRegex, join.RebalanceTimeoutMillis = []kmsg.ConsumerGroupHeartbeatRequestTopic{}, kmsg.StringPtr("(orders"), 1000
	if resp = beat(join); resp.ErrorCode != 128 || !strings.Contains(*resp.ErrorMessage, "orders") {
		t.Fatalf("with a damaged pattern: %+v", resp)
	}
}

func TestConsumerGroup_SurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Listen: "127.0.0.1:0", Set: quick()}
	b := start(t, cfg)
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	c, a := consumer(t, b, "m", func(*kgo.Record) {}, kgo.InstanceID("i"))
	eventually(t, "the member has its partitions", balanced(2, 2, a))
	before := describeConsumers(t, c, "g")
	cfg.Listen = b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, cfg)
	after := describeConsumers(t, client(t, b), "g")
	if after.Epoch != before.Epoch || len(after.Members) != 1 || after.Members[0].MemberID != before.Members[0].MemberID ||
		len(after.Members[0].Assignment.TopicPartitions) != 1 {
		t.Errorf("group after restart: %+v, before %+v", after, before)
	}
	if !balanced(2, 2, a)() {
		t.Errorf("the member lost its partitions: %v", a.partitions())
	}
}

// A group that has become empty changes its protocol, and keeps its offsets.
func TestConsumerGroup_FromClassicAndBack(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Set: quick()})
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	other := client(t, b)
	adm := kadm.NewClient(other)
	produce(t, other, "t", numbers("v", 10)...)
	kind := func() string {
		gs, err := adm.ListGroups(timeout(t))
		if err != nil {
			t.Fatal(err)
		}
		return gs["g"].ProtocolType + " " + gs["g"].State
	}
	offsets := func() int64 {
		os, err := adm.FetchOffsets(timeout(t), "g")
		if err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		os.Each(func(o kadm.OffsetResponse) { sum += o.At })
		return sum
	}
	for i, join := range []func(*testing.T, *Broker, string, func(*kgo.Record)) (*kgo.Client, *assigned){
		member,
		func(t *testing.T, b *Broker, n string, got func(*kgo.Record)) (*kgo.Client, *assigned) {
			return consumer(t, b, n, got)
		},
		member,
	} {
		c, a := join(t, b, fmt.Sprint("m", i), func(*kgo.Record) {})
		eventually(t, "the member has its partitions", balanced(2, 2, a))
		if i == 0 {
			eventually(t, "all is consumed and committed", func() bool {
				return c.CommitUncommittedOffsets(timeout(t)) == nil && offsets() == 10
			})
		}
		c.Close()
		if got := offsets(); got != 10 {
			t.Errorf("offsets of member %d are %d", i, got)
		}
		eventually(t, "the group is empty", func() bool { return kind() == "consumer Empty" })
		d := describeConsumers(t, other, "g")
		if isConsumer := d.ErrorCode == 0; isConsumer != (i == 1) {
			t.Errorf("after member %d: %+v", i, d)
		}
	}
}

// An application goes from the classic protocol to the new one member by member,
// and back, while it works.
func TestConsumerGroup_RollingUpgradeAndDowngrade(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Set: quick()})
	const partitions = 6
	if err := b.CreateTopic(t.Context(), "t", partitions); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	got := func(r *kgo.Record) {
		mu.Lock()
		defer mu.Unlock()
		seen[string(r.Value)]++
	}
	other := client(t, b)
	sent := 0
	works := func() {
		t.Helper()
		produce(t, other, "t", numbers(fmt.Sprint("v", sent, "-"), 60)...)
		sent += 60
		eventually(t, "all records are consumed", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == sent
		})
	}
	isConsumer := func() bool { return describeConsumers(t, other, "g").ErrorCode == 0 }

	c1, a1 := member(t, b, "classic-1", got)
	c2, a2 := member(t, b, "classic-2", got)
	eventually(t, "two classic members share", balanced(partitions, 3, a1, a2))
	works()
	c3, a3 := consumer(t, b, "new-3", got)
	eventually(t, "three members share", balanced(partitions, 2, a1, a2, a3))
	if !isConsumer() {
		t.Error("the group has not been upgraded")
	}
	works()
	c1.Close()
	c2.Close()
	c4, a4 := consumer(t, b, "new-4", got)
	eventually(t, "two new members share", balanced(partitions, 3, a3, a4))
	works()

	_, a5 := member(t, b, "classic-5", got)
	eventually(t, "three members share again", balanced(partitions, 2, a3, a4, a5))
	works()
	c3.Close()
	c4.Close()
	eventually(t, "the classic member has all", balanced(partitions, partitions, a5))
	if isConsumer() {
		t.Error("the group has not been downgraded")
	}
	works()
}

// A group's own configs hold for it at once, and over a restart.
func TestConsumerGroup_Configs(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	b := start(t, cfg)
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	interval := func(b *Broker, id string) int32 {
		h := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		h.Group, h.MemberID, h.RebalanceTimeoutMillis = id, "m", 1000
		h.SubscribedTopicNames, h.Topics = []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		resp, err := h.RequestWith(timeout(t), client(t, b))
		if err != nil || resp.ErrorCode != 0 {
			t.Fatalf("heartbeat: %+v, %v", resp, err)
		}
		return resp.HeartbeatIntervalMillis
	}
	alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, "slow"
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "consumer.heartbeat.interval.ms", Value: kmsg.StringPtr("7000")}}
	alter.Resources = append(alter.Resources, r)
	if resp, err := alter.RequestWith(timeout(t), client(t, b)); err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatalf("alter: %+v, %v", resp, err)
	}
	if got := interval(b, "slow"); got != 7000 {
		t.Errorf("the interval is %d", got)
	}
	if got := interval(b, "other"); got != 5000 {
		t.Errorf("that of another group is %d", got)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if got := interval(start(t, cfg), "slow"); got != 7000 {
		t.Errorf("after a restart it is %d", got)
	}
}

// While the disk is full nobody can join, but those who are members stay so.
func TestConsumerGroup_FullDisk(t *testing.T) {
	fs := vfs.NewFault(vfs.NewMem())
	b := start(t, Config{Listen: "127.0.0.1:0", fs: fs, Set: quick()})
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	c := client(t, b)
	beat := func(id string, epoch int32) *kmsg.ConsumerGroupHeartbeatResponse {
		h := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		h.Group, h.MemberID, h.MemberEpoch = "g", id, epoch
		if epoch == 0 {
			h.RebalanceTimeoutMillis, h.SubscribedTopicNames, h.Topics = 1000, []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
		}
		h.Version = 1
		return raw[*kmsg.ConsumerGroupHeartbeatResponse](t, b, h)
	}
	eventually(t, "the first member joins", func() bool { return beat("a", 0).ErrorCode == 0 })
	before := describeConsumers(t, c, "g")
	repair := fs.Inject(vfs.Rule{Ops: vfs.OpWrite, Path: func(name string) bool { return strings.Contains(name, "__consumer_offsets") }, Err: syscall.ENOSPC})
	if resp := beat("b", 0); resp.ErrorCode != kerr.CoordinatorNotAvailable.Code {
		t.Errorf("join on a full disk: %+v", resp)
	}
	if resp := beat("a", before.Members[0].MemberEpoch); resp.ErrorCode != 0 {
		t.Errorf("heartbeat on a full disk: %+v", resp)
	}
	if after := describeConsumers(t, c, "g"); after.Epoch != before.Epoch || len(after.Members) != 1 {
		t.Errorf("the group changed to %+v", after)
	}
	repair()
	eventually(t, "the second member joins", func() bool { return beat("b", 0).ErrorCode == 0 })
	if after := describeConsumers(t, c, "g"); after.Epoch != before.Epoch+1 || len(after.Members) != 2 {
		t.Errorf("after the repair: %+v", after)
	}
}
