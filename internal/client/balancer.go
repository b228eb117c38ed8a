package client

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/record"
)

// Protocol is the name of the group protocol. Members that speak another can't
// join the same group, which is as it should be: they would share partitions
// out, not tasks.
const Protocol = "leat"

// Member is a member of the group as the leader sees it.
type Member struct {
	ID         string // given by the coordinator, new after a restart
	Generation int32  // the last one it was in, -1 for none
	Topics     []string
	UserData   []byte // what GroupConfig.UserData returned on its side
	Owned      []record.TopicPartition
}

// AssignFunc shares partitions out among members; partitions maps the topics
// that any of them asked for to their number of partitions. It is called on
// the leader only, must be pure, and may move partitions freely: a partition
// that has another owner is given to the new one in a second rebalance, after
// the old one let go of it. The result maps a member's ID to its partitions.
type AssignFunc func(members []Member, partitions map[string]int32) (map[string][]record.TopicPartition, error)

// balancer is the library's seam for a group protocol of one's own. What goes
// over the wire is the format of Kafka's consumers, so that any tool can show
// who has which partitions.
type balancer struct {
	userData func() []byte
	assign   AssignFunc
	lapsed   func() bool // see Group.lapsed; nil for never
	onLapsed func()      // nil for nothing
}

// ProtocolName is part of kgo.GroupBalancer.
func (*balancer) ProtocolName() string { return Protocol }

// IsCooperative is part of kgo.GroupBalancer.
func (*balancer) IsCooperative() bool { return true }

// JoinGroupMetadata is part of kgo.GroupBalancer.
func (b *balancer) JoinGroupMetadata(topics []string, current map[string][]int32, generation int32) []byte {
	if b.lapsed != nil && b.lapsed() {
		current, generation = nil, -1
		if b.onLapsed != nil {
			b.onLapsed()
		}
	}
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Version = 3
	meta.Topics = topics
	meta.Generation = generation
	if b.userData != nil {
		meta.UserData = b.userData()
	}
	for _, topic := range sortedKeys(current) {
		owned := kmsg.NewConsumerMemberMetadataOwnedPartition()
		owned.Topic, owned.Partitions = topic, current[topic]
		meta.OwnedPartitions = append(meta.OwnedPartitions, owned)
	}
	return meta.AppendTo(nil)
}

// ParseSyncAssignment is part of kgo.GroupBalancer.
func (b *balancer) ParseSyncAssignment(assignment []byte) (map[string][]int32, error) {
	if b.lapsed != nil && b.lapsed() {
		return nil, errLapsed
	}
	return kgo.ParseConsumerSyncAssignment(assignment)
}

// MemberBalancer is part of kgo.GroupBalancer.
func (b *balancer) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	cb, err := kgo.NewConsumerBalancer(b, members)
	return cb, cb.MemberTopics(), err
}

// Balance is part of kgo.ConsumerBalancerBalance.
func (b *balancer) Balance(cb *kgo.ConsumerBalancer, partitions map[string]int32) kgo.IntoSyncAssignment {
	plan, err := b.plan(cb, partitions)
	if err != nil {
		cb.SetError(fmt.Errorf("assignment: %w", err))
		return nil
	}
	return plan
}

func (b *balancer) plan(cb *kgo.ConsumerBalancer, partitions map[string]int32) (*kgo.BalancePlan, error) {
	var members []Member
	byID := make(map[string]*kmsg.JoinGroupResponseMember)
	cb.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		byID[m.MemberID] = m
		members = append(members, Member{
			ID:         m.MemberID,
			Generation: meta.Generation,
			Topics:     meta.Topics,
			UserData:   meta.UserData,
			Owned:      owned(meta.OwnedPartitions),
		})
	})
	assigned, err := b.assign(members, partitions)
	if err != nil {
		return nil, err
	}
	plan := cb.NewPlan()
	taken := make(map[record.TopicPartition]string)
	for _, id := range sortedKeys(assigned) {
		m := byID[id]
		if m == nil {
			return nil, fmt.Errorf("a member %q that isn't in the group was assigned partitions", id)
		}
		for _, tp := range assigned[id] {
			if other, ok := taken[tp]; ok {
				return nil, fmt.Errorf("partition %s was assigned to both %s and %s", tp, other, id)
			}
			taken[tp] = id
			plan.AddPartition(m, tp.Topic, tp.Partition)
		}
	}
	plan.AdjustCooperative(cb)
	return plan, nil
}

func owned(in []kmsg.ConsumerMemberMetadataOwnedPartition) []record.TopicPartition {
	var out []record.TopicPartition
	for _, o := range in {
		for _, p := range o.Partitions {
			out = append(out, record.TopicPartition{Topic: o.Topic, Partition: p})
		}
	}
	return out
}

// flatten lists partitions in order.
func flatten(in map[string][]int32) []record.TopicPartition {
	var out []record.TopicPartition
	for topic, partitions := range in {
		for _, p := range partitions {
			out = append(out, record.TopicPartition{Topic: topic, Partition: p})
		}
	}
	slices.SortFunc(out, compare)
	return out
}

func compare(a, b record.TopicPartition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.Partition) - int(b.Partition)
}

// nest groups partitions by topic, as the library wants them.
func nest(in []record.TopicPartition) map[string][]int32 {
	out := make(map[string][]int32)
	for _, tp := range in {
		out[tp.Topic] = append(out[tp.Topic], tp.Partition)
	}
	return out
}
