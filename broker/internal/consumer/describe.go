package consumer

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// Describe fills what ConsumerGroupDescribe tells of the group.
func (g *Group) Describe(topics group.Topics, d *kmsg.ConsumerGroupDescribeResponseGroup) {
	d.Group, d.State, d.Epoch, d.AssignmentEpoch = g.id, g.State(), g.epoch, g.targetAt
	var members []*member
	for _, id := range g.memberIDs() {
		members = append(members, g.members[id])
	}
	d.AssignorName = preferred(members)
	for _, m := range members {
		dm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.RackID, dm.MemberEpoch = m.id, m.instance, m.rack, m.epoch
		dm.ClientID, dm.ClientHost = m.client.ID, m.client.Host
		dm.SubscribedTopics = slices.Clone(m.topics)
		dm.SubscribedTopicRegex = &m.regex
		dm.MemberType = 1
		if m.classic != nil {
			dm.MemberType = 0
		}
		dm.Assignment = described(topics, m.assigned.partitions())
		dm.TargetAssignment = described(topics, g.targets[m.id])
		d.Members = append(d.Members, dm)
	}
}

// described is an assignment with the names of topics. Topics that have been
// deleted are left out.
func described(topics group.Topics, a assignor.Assignment) kmsg.Assignment {
	var out kmsg.Assignment
	for _, id := range a.IDs() {
		t, ok := topics.TopicByID(id)
		if !ok {
			continue
		}
		tp := kmsg.NewAssignmentTopicPartition()
		tp.TopicID, tp.Topic, tp.Partitions = id, t.Name, slices.Clone(a[id])
		out.TopicPartitions = append(out.TopicPartitions, tp)
	}
	return out
}
