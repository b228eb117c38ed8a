package consumer

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Apply takes a record of the group.
func (g *Group) Apply(r group.Record) error { return group.TakeRecord(r, g.ID, g.remove, g.replace) }

// replace takes a value.
func (g *Group) replace(k group.Key, read func(schema func(*flex.Coder)) bool) {
	switch k.Type {
	case group.ConsumerGroup:
		var v groupValue
		if read(v.schema) {
			g.Epoch, g.Hash = v.epoch, v.hash
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
	case group.ConsumerRegex:
		var v regex
		if read(v.schema) {
			g.regexes[k.Item] = v
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
	case group.ConsumerMember:
		g.unlink(g.Member[k.Item])
		g.Remove(k)
	case group.ConsumerCurrent:
		if m := g.Member[k.Item]; m != nil {
			m = m.clone()
			m.Progress, m.assigned, m.pending = membership.Progress{}, nil, nil
			g.put(m)
		}
	case group.ConsumerRegex:
		delete(g.regexes, k.Item)
	default:
		g.Remove(k)
	}
}

// Tombstones are the records that remove every trace of the group.
func (g *Group) Tombstones() []group.Record {
	var rs []group.Record
	for _, pattern := range sortedKeys(g.regexes) {
		rs = append(rs, g.Tombstone(group.ConsumerRegex, pattern))
	}
	return slices.Concat(rs, g.Roster.Tombstones())
}
