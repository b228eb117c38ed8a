package consumer

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
)

// groupValue is the value of a record of the group.
type groupValue struct {
	epoch int32
	hash  int64
}

func (v *groupValue) schema(c *flex.Coder) {
	c.Int32(&v.epoch)
	c.End(flex.Tag{ID: 0, Set: v.hash != 0, Field: func(c *flex.Coder) { c.Int64(&v.hash) }})
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
	c.Int32(&m.Epoch)
	c.Int32(&m.Previous)
	c.Int8((*int8)(&m.Phase))
	codeTopics(c, &assigned)
	codeTopics(c, &pending)
	c.End()
	if c.Reading() {
		m.assigned, m.pending = ownedOf(assigned, m.Epoch), ownedOf(pending, m.Epoch)
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
