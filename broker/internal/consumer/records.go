package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
)

// record makes a record of the group: of all of it, or of a member or regular
// expression.
func (g *Group) record(t group.RecordType, item string, schema func(*flex.Coder)) group.Record {
	return group.NewRecord(t, g.id, item, schema)
}

// tombstone makes a record that removes one.
func (g *Group) tombstone(t group.RecordType, item string) group.Record {
	return group.Tombstone(t, g.id, item)
}

// groupValue is the value of a record of the group.
type groupValue struct {
	epoch int32
	hash  int64
}

func (v *groupValue) schema(c *flex.Coder) {
	c.Int32(&v.epoch)
	c.End(flex.Tag{ID: 0, Set: v.hash != 0, Field: func(c *flex.Coder) { c.Int64(&v.hash) }})
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

// topicPartitions is partitions of a topic, with the epochs at which a member got
// them, if they are told.
type topicPartitions struct {
	id         assignor.ID
	partitions []int32
	epochs     []int32
}

func (v *topicPartitions) schema(c *flex.Coder) {
	c.UUID(&v.id)
	c.Int32s(&v.partitions)
	c.End(flex.Tag{ID: 0, Set: v.epochs != nil, Field: func(c *flex.Coder) { c.Int32s(&v.epochs) }})
}

func codeTopics(c *flex.Coder, v *[]topicPartitions) {
	flex.Slice(c, v, func(t *topicPartitions) { t.schema(c) })
}

func codeAssignment(c *flex.Coder, a *assignor.Assignment) {
	var topics []topicPartitions
	for _, id := range a.IDs() {
		topics = append(topics, topicPartitions{id: id, partitions: (*a)[id]})
	}
	codeTopics(c, &topics)
	c.End()
	if !c.Reading() {
		return
	}
	*a = assignor.Assignment{}
	for _, t := range topics {
		slices.Sort(t.partitions)
		if ps := slices.Compact(append((*a)[t.id], t.partitions...)); len(ps) > 0 {
			(*a)[t.id] = ps
		}
	}
}

func (o owned) topics() []topicPartitions {
	var topics []topicPartitions
	for _, id := range o.partitions().IDs() {
		t := topicPartitions{id: id, partitions: slices.Sorted(maps.Keys(o[id]))}
		for _, p := range t.partitions {
			t.epochs = append(t.epochs, o[id][p])
		}
		topics = append(topics, t)
	}
	return topics
}

// ownedOf is what a record tells. Kafka before 4.3 didn't tell epochs: they are
// the member's.
func ownedOf(topics []topicPartitions, epoch int32) owned {
	o := owned{}
	for _, t := range topics {
		for i, p := range t.partitions {
			e := epoch
			if i < len(t.epochs) {
				e = t.epochs[i]
			}
			o.add(t.id, p, e)
		}
	}
	return o
}

// currentSchema is what a member has.
func (m *member) currentSchema(c *flex.Coder) {
	assigned, pending := m.assigned.topics(), m.pending.topics()
	c.Int32(&m.epoch)
	c.Int32(&m.previous)
	c.Int8((*int8)(&m.phase))
	codeTopics(c, &assigned)
	codeTopics(c, &pending)
	c.End()
	if c.Reading() {
		m.assigned, m.pending = ownedOf(assigned, m.epoch), ownedOf(pending, m.epoch)
	}
}

// metadataSchema is what a member tells of itself.
func (m *member) metadataSchema(c *flex.Coder) {
	pattern := &m.regex
	rebalance := int32(m.rebalance.Milliseconds())
	c.NullString(&m.instance)
	c.NullString(&m.rack)
	c.String(&m.client.ID)
	c.String(&m.client.Host)
	c.Strings(&m.topics)
	c.NullString(&pattern)
	c.Int32(&rebalance)
	c.NullString(&m.assignor)
	// Without the tag Kafka takes a member for one that speaks the classic protocol.
	c.End(flex.Tag{ID: 0, Set: true, Field: func(c *flex.Coder) {
		if !c.NullTagged(m.classic != nil) {
			return
		}
		if c.Reading() {
			m.classic = &classic{}
		}
		m.classic.schema(c)
	}})
	if !c.Reading() {
		return
	}
	m.rebalance = time.Duration(rebalance) * time.Millisecond
	if pattern != nil {
		m.regex = *pattern
	}
}

func (v *classic) schema(c *flex.Coder) {
	session := int32(v.session.Milliseconds())
	c.Int32(&session)
	flex.Slice(c, &v.protocols, func(p *protocol) {
		c.String(&p.name)
		c.Bytes(&p.metadata)
		c.End()
	})
	c.End()
	v.session = time.Duration(session) * time.Millisecond
}

// schema of a resolved regular expression. Kafka's second number is that of its
// metadata, of which there is none here.
func (v *regex) schema(c *flex.Coder) {
	var version int64
	c.Strings(&v.topics)
	c.Int64(&version)
	c.Int64(&v.resolvedAt)
	c.End()
}

func targetSchema(a assignor.Assignment) func(*flex.Coder) {
	return func(c *flex.Coder) { codeAssignment(c, &a) }
}
