package sharegroup

import (
	"cmp"
	"maps"
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// step is a decision in the making: what the group will be once the records are
// applied.
type step struct {
	g   *Group
	env group.Env
	e   group.Effects

	newcomer bool // whether a member joins
	epoch    int32
	targetAt int32
	members  map[string]*member // changed or new; nil is removed
	targets  map[string]assignor.Assignment
}

func (g *Group) begin(env group.Env) *step {
	return &step{g: g, env: env, e: group.Effects{Deferred: true}, epoch: g.epoch, targetAt: g.targetAt, members: map[string]*member{}}
}

func (s *step) add(rs ...group.Record) { s.e.Records = append(s.e.Records, rs...) }

// all lists the members as they will be, by id.
func (s *step) all() []*member {
	var ms []*member
	for id, m := range s.g.members {
		if _, changed := s.members[id]; !changed {
			ms = append(ms, m)
		}
	}
	for _, m := range s.members {
		if m != nil {
			ms = append(ms, m)
		}
	}
	slices.SortFunc(ms, func(a, b *member) int { return cmp.Compare(a.id, b.id) })
	return ms
}

// fence removes members, and bumps the epoch for it.
func (s *step) fence(ids ...string) {
	for _, id := range ids {
		s.add(s.g.memberTombstones(id)...)
		s.members[id] = nil
	}
	s.refresh(changed)
}

// change says whether something has changed that calls for a new epoch.
type change bool

const (
	unchanged change = false
	changed   change = true
)

// refresh looks at the topics that members want, and bumps the group's epoch if
// they are others than before or somebody has changed.
func (s *step) refresh(c change) {
	g := s.g
	if c == unchanged && g.seen == s.env.Topics {
		return
	}
	hash := group.Hash(s.env.Topics, s.wanted())
	if hash == g.hash { // or else look again when the new one is stored
		g.seen = s.env.Topics
		if c == unchanged {
			return
		}
	}
	s.epoch++
	v := groupValue{epoch: s.epoch, hash: hash}
	s.add(g.record(group.ShareGroup, "", v.schema))
	s.share()
}

// share notes the partitions of which the group has a state from now on. They stay
// when nobody subscribes to them any more: somebody may again, and goes on there.
func (s *step) share() {
	next := s.g.known(s.env.Topics)
	grown := len(next) != len(s.g.shared)
	for _, name := range s.wanted() {
		t, ok := s.env.Topics.Topic(name)
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
		s.add(s.g.sharedRecord(s.env.Topics, next))
	}
}

// insert returns a list in order, with one more element.
func insert(list []int32, p int32) []int32 {
	i, _ := slices.BinarySearch(list, p)
	return slices.Insert(slices.Clone(list), i, p)
}

// known is the group's partitions without those of topics that are gone.
func (g *Group) known(topics group.Topics) assignor.Assignment {
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
	for _, m := range s.all() {
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
		if t, ok := s.env.Topics.Topic(name); ok {
			ids[t.ID] = true
		}
	}
	return ids
}

// assign computes a new target if the group's epoch calls for one, unless the last
// one is too young. A new member doesn't wait: it would have nothing to do until
// its next heartbeat.
func (s *step) assign() {
	g := s.g
	if s.epoch <= s.targetAt {
		return
	}
	now := s.env.Now.UnixMilli()
	wait := s.env.Settings.Share.AssignmentInterval.Milliseconds()
	if age := now - g.computed; !s.newcomer && g.computed > 0 && age >= 0 && age < wait {
		return
	}
	var views []assignor.Member
	counts := map[assignor.ID]int32{}
	for _, m := range s.all() {
		v := assignor.Member{ID: m.id, Topics: s.subscribed(m), Had: g.targets[m.id]}
		for id := range v.Topics {
			t, _ := s.env.Topics.TopicByID(id)
			counts[id] = t.Partitions
		}
		views = append(views, v)
	}
	s.targets = simple(views, counts)
	for _, m := range views {
		a := s.targets[m.ID]
		if old, ok := g.targets[m.ID]; !ok || !old.Equal(a) {
			s.add(g.record(group.ShareMemberTarget, m.ID, assignmentSchema(&a)))
		}
	}
	s.targetAt = s.epoch
	v := targetValue{epoch: s.targetAt, at: now}
	s.add(g.record(group.ShareTarget, "", v.schema))
}

// give lets a member have its target, at once: another that still fetches from the
// same partition does no harm. The member's epoch tells it that it is up to date.
func (s *step) give(m *member) *member {
	target := s.g.targets[m.id]
	if s.targets != nil {
		target = s.targets[m.id]
	}
	subscribed := s.subscribed(m)
	assigned := assignor.Assignment{}
	for id, ps := range target {
		if subscribed[id] {
			assigned[id] = ps
		}
	}
	if m.epoch == s.targetAt && m.assigned.Equal(assigned) {
		return m
	}
	next := m.clone()
	if next.epoch != s.targetAt {
		next.previous, next.epoch = next.epoch, s.targetAt
	}
	next.assigned = assigned
	s.members[next.id] = next
	s.add(s.g.record(group.ShareCurrent, next.id, next.currentSchema))
	return next
}
