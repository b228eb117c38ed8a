package streams

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
)

// topology is what an application's members have in common.
type topology struct {
	epoch int32
	subs  []subtopology
}

// subtopology is a part of a topology, connected by topics only.
type subtopology struct {
	name               string
	sources            []string // topics of the user's
	sourceRegexes      []string
	changelogs         []topicInfo
	repartitionSinks   []string
	repartitionSources []topicInfo
	copartitioned      []copartitioned
}

// topicInfo is an internal topic. 0 partitions is as many as it takes.
type topicInfo struct {
	name       string
	partitions int32
	replicas   int16
	configs    []keyValue
}

type keyValue struct{ key, value string }

// copartitioned is topics that need the same number of partitions, by their
// indexes.
type copartitioned struct {
	sources, sourceRegexes, repartitionSources []int16
}

// topologyOf is a topology as a member tells it. What it refuses, Kafka 4.3 refuses:
// regular expressions are in the protocol, but not served yet.
func topologyOf(r *kmsg.StreamsGroupHeartbeatRequestTopology) (*topology, error) {
	t := &topology{epoch: r.Epoch}
	for _, rs := range r.Subtopologies {
		s := subtopology{
			name: rs.SubtopologyID, sources: rs.SourceTopics, sourceRegexes: rs.SourceTopicRegex, repartitionSinks: rs.RepartitionSinkTopics,
			changelogs: infosOf(rs.StateChangelogTopics), repartitionSources: infosOf(rs.RepartitionSourceTopics),
		}
		if len(s.sourceRegexes) > 0 {
			return nil, group.Refuse(kerr.InvalidRequest, "Regular expressions for source topics are not supported yet.")
		}
		for _, c := range s.changelogs {
			if c.partitions != 0 { // it follows from the number of tasks
				return nil, group.Refuse(kerr.StreamsInvalidTopology, fmt.Sprintf("Changelog topic %s must have an undefined partition count, but it is set to %d.", c.name, c.partitions))
			}
		}
		for _, g := range rs.CopartitionGroups {
			c := copartitioned{g.SourceTopics, g.SourceTopicRegex, g.RepartitionSourceTopics}
			if !inside(c.sources, len(s.sources)) || !inside(c.repartitionSources, len(s.repartitionSources)) {
				return nil, group.Refuse(kerr.StreamsInvalidTopology, "A group of co-partitioned topics of sub-topology "+s.name+" names topics that the sub-topology doesn't have.")
			}
			s.copartitioned = append(s.copartitioned, c)
		}
		t.subs = append(t.subs, s)
	}
	return t, nil
}

// inside says whether indexes are those of a list of n. They come from clients, and
// from records that may be damaged.
func inside(indexes []int16, n int) bool {
	for _, i := range indexes {
		if i < 0 || int(i) >= n {
			return false
		}
	}
	return true
}

func infosOf(topics []kmsg.TopicInfo) []topicInfo {
	var infos []topicInfo
	for _, t := range topics {
		info := topicInfo{name: t.Topic, partitions: t.NumPartitions, replicas: t.ReplicationFactor}
		for _, c := range t.Configs {
			info.configs = append(info.configs, keyValue{c.Key, c.Value})
		}
		infos = append(infos, info)
	}
	return infos
}

// equal says whether two topologies are the same.
func (t *topology) equal(b *topology) bool {
	if t.epoch != b.epoch || len(t.subs) != len(b.subs) {
		return false
	}
	for i := range t.subs {
		// By their encodings, in which nothing and an empty list are the same.
		if x, y := flex.Encode(nil, t.subs[i].schema), flex.Encode(nil, b.subs[i].schema); string(x) != string(y) {
			return false
		}
	}
	return true
}

// topics lists all topics that the topology needs.
func (t *topology) topics() []string {
	names := map[string]bool{}
	for _, s := range t.subs {
		for _, n := range s.sources {
			names[n] = true
		}
		for _, infos := range [][]topicInfo{s.repartitionSources, s.changelogs} {
			for _, i := range infos {
				names[i.name] = true
			}
		}
	}
	return sortedKeys(names)
}

// RequiredTopics lists the topics that a topology needs: those that the client must
// be allowed to know. Of a topology that can't be there are none; the group says why
// it can't be.
func RequiredTopics(r *kmsg.StreamsGroupHeartbeatRequestTopology) []string {
	t, err := topologyOf(r)
	if err != nil {
		return nil
	}
	return t.topics()
}

// schema of a topology's record.
func (t *topology) schema(c *flex.Coder) {
	c.Int32(&t.epoch)
	flex.Slice(c, &t.subs, func(s *subtopology) { s.schema(c) })
	c.End()
}

func (s *subtopology) schema(c *flex.Coder) {
	int16s := func(v *[]int16) { flex.Slice(c, v, c.Int16) }
	infos := func(v *[]topicInfo) { flex.Slice(c, v, func(i *topicInfo) { i.schema(c) }) }
	c.String(&s.name)
	c.Strings(&s.sources)
	c.Strings(&s.sourceRegexes)
	infos(&s.changelogs)
	c.Strings(&s.repartitionSinks)
	infos(&s.repartitionSources)
	flex.Slice(c, &s.copartitioned, func(g *copartitioned) {
		int16s(&g.sources)
		int16s(&g.sourceRegexes)
		int16s(&g.repartitionSources)
		c.End()
	})
	c.End()
	if c.Reading() && (!inside(flat(s.copartitioned, func(g copartitioned) []int16 { return g.sources }), len(s.sources)) ||
		!inside(flat(s.copartitioned, func(g copartitioned) []int16 { return g.repartitionSources }), len(s.repartitionSources))) {
		c.Fail(flex.ErrShort)
	}
}

// flat is the indexes of one kind in all groups.
func flat(groups []copartitioned, f func(copartitioned) []int16) []int16 {
	var all []int16
	for _, g := range groups {
		all = append(all, f(g)...)
	}
	return all
}

func (i *topicInfo) schema(c *flex.Coder) {
	c.String(&i.name)
	c.Int32(&i.partitions)
	c.Int16(&i.replicas)
	flex.Slice(c, &i.configs, func(kv *keyValue) { kv.schema(c) })
	c.End()
}

func (kv *keyValue) schema(c *flex.Coder) {
	c.String(&kv.key)
	c.String(&kv.value)
	c.End()
}
