package sharegroup

import (
	"maps"
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// step is a decision in the making: what the group will be once the records are
// applied.
type step struct {
	membership.Step[*member, assignor.Assignment]

	g        *Group
	newcomer bool // whether a member joins
}

func (g *Group) begin(env group.Env) *step { return &step{Step: g.Begin(env), g: g} }

// fence removes members, and bumps the epoch for it.
func (s *step) fence(ids ...string) {
	s.Remove(ids...)
	s.refresh(membership.Changed)
}

// refresh looks at the topics that members want, and bumps the group's epoch if
// they are others than before or somebody has changed.
func (s *step) refresh(c membership.Change) {
	hash, call := s.Look(c, s.wanted)
	if !call {
		return
	}
	s.Bump(1) // nobody waits for a target: there need not be an epoch before it
	v := groupValue{epoch: s.Epoch, hash: hash}
	s.Add(s.g.Record(group.ShareGroup, "", v.schema))
	s.share()
}

// share notes the partitions of which the group has a state from now on. They stay
// when nobody subscribes to them any more: somebody may again, and goes on there.
func (s *step) share() {
	next := s.g.existing(s.Env.Topics)
	grown := len(next) != len(s.g.shared)
	for _, name := range s.wanted() {
		t, ok := s.Env.Topics.Topic(name)
		if !ok {
			continue
		}
		for p := range t.Partitions {
			if !next.Has(t.ID, p) {
				grown = true
				next[t.ID] = insert(next[t.ID], p)
			}
		}
	}
	if grown {
		s.Add(s.g.sharedRecord(s.Env.Topics, next))
	}
}

// insert returns a list in order, with one more element.
func insert(list []int32, p int32) []int32 {
	i, _ := slices.BinarySearch(list, p)
	return slices.Insert(slices.Clone(list), i, p)
}

// existing is the group's partitions without those of topics that are gone.
func (g *Group) existing(topics group.Topics) assignor.Assignment {
	next := maps.Clone(g.shared)
	maps.DeleteFunc(next, func(id assignor.ID, _ []int32) bool {
		_, ok := topics.TopicByID(id)
		return !ok
	})
	return next
}

// wanted lists the topics that members subscribe to, which need not exist.
func (s *step) wanted() []string {
	names := map[string]bool{}
	for _, m := range s.All() {
		for _, t := range m.topics {
			names[t] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// subscribed is the ids of the topics that a member wants and that exist.
func (s *step) subscribed(m *member) map[assignor.ID]bool {
	ids := map[assignor.ID]bool{}
	for _, name := range m.topics {
		if t, ok := s.Env.Topics.Topic(name); ok {
			ids[t.ID] = true
		}
	}
	return ids
}

// assign computes a new target if the group's epoch calls for one, unless the last
// one is too young. A new member doesn't wait: it would have nothing to do until
// its next heartbeat.
func (s *step) assign() {
	if s.Epoch <= s.TargetAt || !s.newcomer && !s.Due(s.Env.Settings.Share.AssignmentInterval) {
		return
	}
	var views []assignor.Member
	counts := map[assignor.ID]int32{}
	members := s.All()
	for _, m := range members {
		v := assignor.Member{ID: m.id, Topics: s.subscribed(m), Had: s.g.Target[m.id]}
		for id := range v.Topics {
			t, _ := s.Env.Topics.TopicByID(id)
			counts[id] = t.Partitions
		}
		views = append(views, v)
	}
	s.Retarget(members, simple(views, counts), nil)
}

// give lets a member have its target, at once: another that still fetches from the
// same partition does no harm. The member's epoch tells it that it is up to date.
func (s *step) give(m *member) *member {
	subscribed := s.subscribed(m)
	assigned := assignor.Assignment{}
	for id, ps := range s.Target(m.id) {
		if subscribed[id] {
			assigned[id] = ps
		}
	}
	if m.Epoch == s.TargetAt && m.assigned.Equal(assigned) {
		return m
	}
	next := m.clone()
	if next.Epoch != s.TargetAt {
		next.Advance(s.TargetAt)
	}
	next.assigned = assigned
	s.Give(next, next.currentSchema)
	return next
}
