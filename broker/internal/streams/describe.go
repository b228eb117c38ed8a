package streams

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
)

// Describe is what StreamsGroupDescribe tells of the group, and the topics that its
// topology needs.
func (g *Group) Describe() (d kmsg.StreamsGroupDescribeResponseGroup, mentioned []string) {
	d = kmsg.NewStreamsGroupDescribeResponseGroup()
	d.Group, d.State, d.Epoch, d.AssignmentEpoch = g.ID, g.State(), g.Epoch, g.TargetAt
	d.Topology = g.describeTopology()
	for _, id := range g.MemberIDs() {
		m := g.Member[id]
		dm := kmsg.NewStreamsGroupDescribeResponseGroupMember()
		dm.MemberID, dm.InstanceID, dm.RackID, dm.MemberEpoch = m.id, m.instance, m.rack, m.Epoch
		dm.ClientID, dm.ClientHost = m.client.ID, m.client.Host
		dm.TopologyEpoch, dm.ProcessID = m.topologyEpoch, m.process
		if m.endpoint != nil {
			dm.UserEndpoint = &kmsg.StreamsGroupDescribeResponseGroupMemberUserEndpoint{Host: m.endpoint.host, Port: m.endpoint.port}
		}
		for _, t := range m.tags {
			dm.ClientTags = append(dm.ClientTags, kmsg.StreamsGroupDescribeResponseGroupMemberClientTag{Key: t.key, Value: t.value})
		}
		dm.Assignment, dm.TargetAssignment = describedRoles(m.assigned), describedRoles(g.Target[id])
		d.Members = append(d.Members, dm)
	}
	if g.topology != nil {
		mentioned = g.topology.topics()
	}
	return d, mentioned
}

func describedRoles(r assignor.Roles) kmsg.StreamsAssignment {
	return kmsg.StreamsAssignment{ActiveTasks: idsOf(r.Active), StandbyTasks: idsOf(r.Standby), WarmupTasks: idsOf(r.Warmup)}
}

// describeTopology tells of the topology, with the numbers of partitions of
// internal topics as they are now known: members leave most of them open.
func (g *Group) describeTopology() *kmsg.StreamsGroupDescribeResponseGroupTopology {
	if g.topology == nil {
		return nil
	}
	out := &kmsg.StreamsGroupDescribeResponseGroupTopology{Epoch: g.topology.epoch, Subtopologies: []kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology{}}
	for _, s := range g.topology.subs {
		out.Subtopologies = append(out.Subtopologies, kmsg.StreamsGroupDescribeResponseGroupTopologySubtopology{
			SubtopologyID: s.name, SourceTopics: s.sources, RepartitionSinkTopics: s.repartitionSinks,
			StateChangelogTopics: g.describeTopics(s.changelogs), RepartitionSourceTopics: g.describeTopics(s.repartitionSources),
		})
	}
	return out
}

func (g *Group) describeTopics(infos []topicInfo) []kmsg.TopicInfo {
	var list []kmsg.TopicInfo
	for _, i := range infos {
		t := kmsg.TopicInfo{Topic: i.name, NumPartitions: i.partitions, ReplicationFactor: i.replicas}
		if g.Seen != nil && t.NumPartitions == 0 {
			known, _ := g.Seen.Topic(i.name)
			t.NumPartitions = known.Partitions
		}
		for _, kv := range i.configs {
			t.Configs = append(t.Configs, kmsg.TopicInfoConfig{Key: kv.key, Value: kv.value})
		}
		list = append(list, t)
	}
	return list
}
