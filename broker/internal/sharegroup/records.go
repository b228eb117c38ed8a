package sharegroup

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Apply takes a record of the group.
func (g *Group) Apply(r group.Record) error { return group.TakeRecord(r, g.ID, g.remove, g.replace) }

// replace takes a value.
func (g *Group) replace(k group.Key, read func(schema func(*flex.Coder)) bool) {
	switch k.Type {
	case group.ShareGroup:
		var v groupValue
		if read(v.schema) {
			g.Epoch, g.Hash = v.epoch, v.hash
		}
	case group.ShareMember:
		m := g.known(k.Item)
		if read(m.metadataSchema) {
			g.Member[m.id] = m
		}
	case group.ShareCurrent:
		m := g.known(k.Item)
		if read(m.currentSchema) {
			g.Member[m.id] = m
		}
	case group.SharePartitions:
		var v sharedValue
		if read(v.schema) {
			g.shared = v.partitions()
		}
	default:
		g.Replace(k, read)
	}
}

// known is a copy of the member with the id, or a new one.
func (g *Group) known(id string) *member {
	if m := g.Member[id]; m != nil {
		return m.clone()
	}
	return &member{id: id}
}

// remove takes a tombstone.
func (g *Group) remove(k group.Key) {
	switch k.Type {
	case group.ShareCurrent:
		if m := g.Member[k.Item]; m != nil {
			m = m.clone()
			m.Progress, m.assigned = membership.Progress{}, nil
			g.Member[k.Item] = m
		}
	case group.SharePartitions:
		g.shared = assignor.Assignment{}
	default:
		g.Remove(k)
	}
}

// groupValue is the value of a record of the group.
type groupValue struct {
	epoch int32
	hash  int64
}

func (v *groupValue) schema(c *flex.Coder) {
	c.Int32(&v.epoch)
	c.Int64(&v.hash)
	c.End()
}

// topicPartitions is partitions of a topic.
type topicPartitions struct {
	id         assignor.ID
	name       string
	partitions []int32
}

func listOf(a assignor.Assignment) (list []topicPartitions) {
	for _, id := range a.IDs() {
		list = append(list, topicPartitions{id: id, partitions: a[id]})
	}
	return list
}

func assignmentOf(list []topicPartitions) assignor.Assignment {
	a := assignor.Assignment{}
	for _, t := range list {
		membership.Merge(a, t.id, t.partitions)
	}
	return a
}

// metadataSchema is what a member tells of itself.
func (m *member) metadataSchema(c *flex.Coder) {
	c.NullString(&m.rack)
	c.String(&m.client.ID)
	c.String(&m.client.Host)
	c.Strings(&m.topics)
	c.End()
}

// currentSchema is what a member has. Its state is always that it has all it
// should.
func (m *member) currentSchema(c *flex.Coder) {
	var state int8
	c.Int32(&m.Epoch)
	c.Int32(&m.Previous)
	c.Int8(&state)
	membership.CodeAssignment(c, &m.assigned)
	c.End()
}

// sharedValue is the partitions of which a group has a state. Kafka knows of some
// that are on the way there, or back; here they are there at once.
type sharedValue struct {
	starting, started []topicPartitions
	ending            []topicPartitions // without partitions
}

func (v *sharedValue) schema(c *flex.Coder) {
	for _, list := range []*[]topicPartitions{&v.starting, &v.started} {
		flex.Slice(c, list, func(t *topicPartitions) {
			c.UUID(&t.id)
			c.String(&t.name)
			c.Int32s(&t.partitions)
			c.End()
		})
	}
	flex.Slice(c, &v.ending, func(t *topicPartitions) {
		c.UUID(&t.id)
		c.String(&t.name)
		c.End()
	})
	c.End()
}

func (v *sharedValue) partitions() assignor.Assignment {
	return assignmentOf(slices.Concat(v.starting, v.started))
}

// sharedRecord tells the partitions of which the group has a state. Names are told
// for people and tools that read the topic: of a topic that is gone there is none.
func (g *Group) sharedRecord(topics group.Topics, a assignor.Assignment) group.Record {
	v := sharedValue{started: listOf(a)}
	for i := range v.started {
		t, _ := topics.TopicByID(v.started[i].id)
		v.started[i].name = t.Name
	}
	return g.Record(group.SharePartitions, "", v.schema)
}
