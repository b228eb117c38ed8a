package consumer

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// Describe is what ConsumerGroupDescribe tells of the group, and the topics that this
// mentions.
func (g *Group) Describe(topics group.Topics) (d kmsg.ConsumerGroupDescribeResponseGroup, mentioned []string) {
	d = kmsg.NewConsumerGroupDescribeResponseGroup()
	d.Group, d.State, d.Epoch, d.AssignmentEpoch = g.ID, g.State(), g.Epoch, g.TargetAt
	var members []*member
	for _, id := range g.MemberIDs() {
		members = append(members, g.Member[id])
	}
	d.AssignorName = preferred(members)
	for _, m := range members {
		dm := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.RackID, dm.MemberEpoch = m.id, m.instance, m.rack, m.Epoch
		dm.ClientID, dm.ClientHost = m.client.ID, m.client.Host
		dm.SubscribedTopics = slices.Clone(m.topics)
		dm.SubscribedTopicRegex = &m.regex
		dm.MemberType = 1 // of the consumer protocol
		if m.classic != nil {
			dm.MemberType = 0
		}
		dm.Assignment = described(topics, m.assigned.partitions())
		dm.TargetAssignment = described(topics, g.Target[m.id])
		d.Members = append(d.Members, dm)
		mentioned = append(mentioned, m.topics...)
		for _, t := range slices.Concat(dm.Assignment.TopicPartitions, dm.TargetAssignment.TopicPartitions) {
			mentioned = append(mentioned, t.Topic)
		}
	}
	return d, mentioned
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
