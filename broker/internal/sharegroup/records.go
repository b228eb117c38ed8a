package sharegroup

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
)

// record makes a record of the group: of all of it, or of a member.
func (g *Group) record(t group.RecordType, item string, schema func(*flex.Coder)) group.Record {
	return group.NewRecord(t, g.id, item, schema)
}

// tombstone makes a record that removes one.
func (g *Group) tombstone(t group.RecordType, item string) group.Record {
	return group.Tombstone(t, g.id, item)
}

func (g *Group) memberTombstones(id string) []group.Record {
	return []group.Record{
		g.tombstone(group.ShareCurrent, id), g.tombstone(group.ShareMemberTarget, id), g.tombstone(group.ShareMember, id),
	}
}

// Tombstones are the records that remove every trace of the group.
func (g *Group) Tombstones() []group.Record {
	var rs []group.Record
	for _, id := range g.memberIDs() {
		rs = append(rs, g.memberTombstones(id)...)
	}
	return append(rs, g.tombstone(group.ShareTarget, ""), g.tombstone(group.SharePartitions, ""), g.tombstone(group.ShareGroup, ""))
}

// Apply takes a record of the group.
func (g *Group) Apply(r group.Record) error { return group.TakeRecord(r, g.id, g.remove, g.replace) }

// replace takes a value.
func (g *Group) replace(k group.Key, read func(schema func(*flex.Coder)) bool) {
	switch k.Type {
	case group.ShareGroup:
		var v groupValue
		if read(v.schema) {
			g.epoch, g.hash = v.epoch, v.hash
		}
	case group.ShareTarget:
		var v targetValue
		if read(v.schema) {
			g.targetAt, g.computed = v.epoch, v.at
		}
	case group.ShareMember:
		m := g.member(k.Item)
		if read(m.metadataSchema) {
			g.members[m.id] = m
		}
	case group.ShareCurrent:
		m := g.member(k.Item)
		if read(m.currentSchema) {
			g.members[m.id] = m
		}
	case group.ShareMemberTarget:
		var a assignor.Assignment
		if read(assignmentSchema(&a)) {
			g.targets[k.Item] = a
		}
	case group.SharePartitions:
		var v sharedValue
		if read(v.schema) {
			g.shared = v.partitions()
		}
	}
}

// member is a copy of the member with the id, or a new one.
func (g *Group) member(id string) *member {
	if m := g.members[id]; m != nil {
		return m.clone()
	}
	return &member{id: id}
}

// remove takes a tombstone.
func (g *Group) remove(k group.Key) {
	switch k.Type {
	case group.ShareMember:
		delete(g.members, k.Item)
		delete(g.expires, k.Item)
	case group.ShareCurrent:
		if m := g.members[k.Item]; m != nil {
			m = m.clone()
			m.epoch, m.previous, m.assigned = 0, 0, nil
			g.members[k.Item] = m
		}
	case group.ShareMemberTarget:
		delete(g.targets, k.Item)
	case group.ShareTarget:
		g.targetAt, g.computed = 0, 0
	case group.SharePartitions:
		g.shared = assignor.Assignment{}
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

// targetValue is the value of a record of the target as a whole.
type targetValue struct {
	epoch int32
	at    int64
}

func (v *targetValue) schema(c *flex.Coder) {
	c.Int32(&v.epoch)
	c.End(flex.Tag{ID: 0, Set: v.at != 0, Field: func(c *flex.Coder) { c.Int64(&v.at) }})
}

// topicPartitions is partitions of a topic.
type topicPartitions struct {
	id         assignor.ID
	name       string // only in sharedValue
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
		ps := append(slices.Clone(a[t.id]), t.partitions...)
		slices.Sort(ps)
		if ps = slices.Compact(ps); len(ps) > 0 {
			a[t.id] = ps
		}
	}
	return a
}

func codeTopics(c *flex.Coder, a *assignor.Assignment) {
	list := listOf(*a)
	flex.Slice(c, &list, func(t *topicPartitions) {
		c.UUID(&t.id)
		c.Int32s(&t.partitions)
		c.End()
	})
	if c.Reading() {
		*a = assignmentOf(list)
	}
}

func assignmentSchema(a *assignor.Assignment) func(*flex.Coder) {
	return func(c *flex.Coder) {
		codeTopics(c, a)
		c.End()
	}
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
	c.Int32(&m.epoch)
	c.Int32(&m.previous)
	c.Int8(&state)
	codeTopics(c, &m.assigned)
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

// sharedRecord tells the partitions of which the group has a state.
func (g *Group) sharedRecord(topics group.Topics, a assignor.Assignment) group.Record {
	v := sharedValue{started: listOf(a)}
	for i := range v.started {
		t, _ := topics.TopicByID(v.started[i].id)
		v.started[i].name = t.Name
	}
	return g.record(group.SharePartitions, "", v.schema)
}
