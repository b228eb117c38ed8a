package consumer

import (
	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
)

// Apply takes a record of the group.
func (g *Group) Apply(r group.Record) error { return group.TakeRecord(r, g.id, g.remove, g.replace) }

// replace takes a value.
func (g *Group) replace(k group.Key, read func(schema func(*flex.Coder)) bool) {
	switch k.Type {
	case group.ConsumerGroup:
		var v groupValue
		if read(v.schema) {
			g.epoch, g.hash = v.epoch, v.hash
		}
	case group.ConsumerTarget:
		var v targetValue
		if read(v.schema) {
			g.targetAt, g.computed = v.epoch, v.at
		}
	case group.ConsumerMember:
		// Both records of a member may come first: what one doesn't tell stays.
		m := g.known(k.Item)
		m.instance, m.rack, m.topics, m.regex, m.assignor, m.classic = nil, nil, nil, "", nil, nil
		if read(m.metadataSchema) {
			g.put(m)
		}
	case group.ConsumerCurrent:
		m := g.known(k.Item)
		m.assigned, m.pending = nil, nil
		if read(m.currentSchema) {
			g.put(m)
		}
	case group.ConsumerMemberTarget:
		var a assignor.Assignment
		if read(func(c *flex.Coder) { codeAssignment(c, &a) }) {
			g.targets[k.Item] = a
		}
	case group.ConsumerRegex:
		var v regex
		if read(v.schema) {
			g.regexes[k.Item] = v
		}
	}
}

// known is a copy of the member with the id, or a new one.
func (g *Group) known(id string) *member {
	if m := g.members[id]; m != nil {
		return m.clone()
	}
	return &member{id: id}
}

// remove takes a tombstone.
func (g *Group) remove(k group.Key) {
	switch k.Type {
	case group.ConsumerMember:
		g.drop(k.Item)
	case group.ConsumerCurrent:
		if m := g.members[k.Item]; m != nil {
			m = m.clone()
			m.epoch, m.previous, m.phase, m.assigned, m.pending = 0, 0, stable, nil, nil
			g.put(m)
		}
	case group.ConsumerMemberTarget:
		delete(g.targets, k.Item)
	case group.ConsumerTarget:
		g.targetAt, g.computed = 0, 0
	case group.ConsumerRegex:
		delete(g.regexes, k.Item)
	}
}

// Tombstones are the records that remove every trace of the group.
func (g *Group) Tombstones() []group.Record {
	var rs []group.Record
	for _, id := range g.memberIDs() {
		rs = append(rs, g.memberTombstones(id)...)
	}
	for _, pattern := range sortedKeys(g.regexes) {
		rs = append(rs, g.tombstone(group.ConsumerRegex, pattern))
	}
	return append(rs, g.tombstone(group.ConsumerTarget, ""), g.tombstone(group.ConsumerGroup, ""))
}

func (g *Group) memberTombstones(id string) []group.Record {
	return []group.Record{
		g.tombstone(group.ConsumerCurrent, id),
		g.tombstone(group.ConsumerMemberTarget, id),
		g.tombstone(group.ConsumerMember, id),
	}
}
