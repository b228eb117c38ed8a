package streams

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
	case group.StreamsGroup:
		var v groupValue
		if read(v.schema) {
			g.epoch, g.hash, g.validated, g.settings = v.epoch, v.hash, v.validated, v.settings
		}
	case group.StreamsTopology:
		var v topology
		if read(v.schema) {
			g.topology, g.configured, g.seen = &v, nil, nil
		}
	case group.StreamsTarget:
		var v targetValue
		if read(v.schema) {
			g.targetAt, g.computed = v.epoch, v.at
		}
	case group.StreamsMember:
		m := g.known(k.Item)
		m.instance, m.rack, m.endpoint, m.tags = nil, nil, nil, nil
		if read(m.metadataSchema) {
			g.members[k.Item] = m
		}
	case group.StreamsCurrent:
		m := g.known(k.Item)
		if read(m.currentSchema) {
			g.members[k.Item] = m
		}
	case group.StreamsMemberTarget:
		var t assignor.Roles
		if read(rolesSchema(&t)) {
			g.targets[k.Item] = t
		}
	}
}

// known is a copy of the member with the id, or a new one.
func (g *Group) known(id string) *member {
	if m := g.members[id]; m != nil {
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
	case group.StreamsMember:
		delete(g.members, k.Item)
		delete(g.sessions, k.Item)
	case group.StreamsCurrent:
		if m := g.members[k.Item]; m != nil {
			m = m.clone()
			m.epoch, m.previous, m.phase, m.assigned, m.pending, m.since = 0, 0, stable, noTasks(), noTasks(), epochs{}
			g.members[k.Item] = m
		}
	case group.StreamsMemberTarget:
		delete(g.targets, k.Item)
	case group.StreamsTarget:
		g.targetAt, g.computed = 0, 0
	case group.StreamsTopology:
		g.topology, g.configured, g.seen = nil, nil, nil
	}
}
