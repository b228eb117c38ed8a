package streams

import (
	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// Apply takes a record of the group.
func (g *Group) Apply(r group.Record) error { return group.TakeRecord(r, g.ID, g.remove, g.replace) }

// replace takes a value.
func (g *Group) replace(k group.Key, read func(schema func(*flex.Coder)) bool) {
	switch k.Type {
	case group.StreamsGroup:
		var v groupValue
		if read(v.schema) {
			g.Epoch, g.Hash, g.validated, g.settings = v.epoch, v.hash, v.validated, v.settings
		}
	case group.StreamsTopology:
		var v topology // what was configured for another is void
		if read(v.schema) {
			g.topology, g.configured, g.Seen = &v, nil, nil
		}
	case group.StreamsMember:
		// What is null in the record leaves a field as it is, so all begin as null.
		m := g.known(k.Item)
		m.instance, m.rack, m.endpoint, m.tags = nil, nil, nil, nil
		if read(m.metadataSchema) {
			g.Member[k.Item] = m
		}
	case group.StreamsCurrent:
		m := g.known(k.Item)
		if read(m.currentSchema) {
			g.Member[k.Item] = m
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
	return newMember(id)
}

func newMember(id string) *member {
	return &member{id: id, assigned: noTasks(), pending: noTasks(), since: epochs{}}
}

// remove takes a tombstone.
func (g *Group) remove(k group.Key) {
	switch k.Type {
	case group.StreamsCurrent:
		if m := g.Member[k.Item]; m != nil {
			m = m.clone()
			m.Progress, m.assigned, m.pending, m.since = membership.Progress{}, noTasks(), noTasks(), epochs{}
			g.Member[k.Item] = m
		}
	case group.StreamsTopology:
		g.topology, g.configured, g.Seen = nil, nil, nil
	default:
		g.Remove(k)
	}
}
