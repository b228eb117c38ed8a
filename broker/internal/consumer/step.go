package consumer

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

	epoch    int32
	targetAt int32
	members  map[string]*member // changed or new; nil is removed
	replaced map[string]string  // a new member -> the one whose place it takes
	targets  map[string]assignor.Assignment
	regexes  map[string]regex // newly resolved
}

func (g *Group) begin(env group.Env) *step {
	return &step{
		g: g, env: env, e: group.Effects{Deferred: true}, epoch: g.epoch, targetAt: g.targetAt,
		members: map[string]*member{}, replaced: map[string]string{}, regexes: map[string]regex{},
	}
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

// set changes or adds a member.
func (s *step) set(m *member) { s.members[m.id] = m }

// tell records what a member tells of itself.
func (s *step) tell(m *member) {
	s.add(s.g.record(group.ConsumerMember, m.id, m.metadataSchema))
	s.set(m)
}

// give records what a member has.
func (s *step) give(m *member) {
	s.add(s.g.record(group.ConsumerCurrent, m.id, m.currentSchema))
	s.set(m)
}

// fence removes members, and bumps the epoch for it.
func (s *step) fence(ids ...string) {
	for _, id := range ids {
		s.members[id] = nil
	}
	if s.downgrade(ids) {
		return
	}
	for _, id := range ids {
		s.add(s.g.memberTombstones(id)...)
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
	s.dropRegexes()
	hash := g.hash
	if c == changed || len(s.regexes) > 0 || g.seen != s.env.Topics {
		hash = group.Hash(s.env.Topics, s.wanted())
	}
	if hash == g.hash { // or else look again when the new one is stored
		g.seen = s.env.Topics
		if c == unchanged {
			return
		}
	}
	s.epoch = max(s.epoch+1, 2) // 1 is that of members before there is a target
	v := groupValue{epoch: s.epoch, hash: hash}
	s.add(g.record(group.ConsumerGroup, "", v.schema))
}

// wanted lists the topics that members subscribe to, which need not exist.
func (s *step) wanted() []string {
	names := map[string]bool{}
	for _, m := range s.all() {
		for _, t := range m.topics {
			names[t] = true
		}
		for _, t := range s.resolved(m.regex).topics {
			names[t] = true
		}
	}
	return sortedKeys(names)
}

// subscribed is the ids of the topics that a member wants and that exist.
func (s *step) subscribed(m *member) map[assignor.ID]bool {
	ids := map[assignor.ID]bool{}
	for _, names := range [][]string{m.topics, s.resolved(m.regex).topics} {
		for _, name := range names {
			if t, ok := s.env.Topics.Topic(name); ok {
				ids[t.ID] = true
			}
		}
	}
	return ids
}

// due says whether the last target is old enough for another.
func (s *step) due() bool {
	age := s.env.Now.UnixMilli() - s.g.computed
	return s.g.computed == 0 || age < 0 || age >= s.env.Settings.Consumer.AssignmentInterval.Milliseconds()
}

// assign computes a new target if the group's epoch calls for one, unless the last
// one is too young.
func (s *step) assign() {
	g := s.g
	if s.epoch <= s.targetAt || !s.due() {
		return
	}
	now := s.env.Now.UnixMilli()
	s.targets = map[string]assignor.Assignment{}
	members := s.all()
	target := s.assignor(members)(s.views(members), s.counts())
	for _, m := range members {
		a := target[m.id]
		s.targets[m.id] = a
		if old, ok := g.targets[m.id]; !ok || !old.Equal(a) || s.replaced[m.id] != "" {
			s.add(g.record(group.ConsumerMemberTarget, m.id, targetSchema(a)))
		}
	}
	s.targetAt = s.epoch
	v := targetValue{epoch: s.targetAt, at: now}
	s.add(g.record(group.ConsumerTarget, "", v.schema))
}

// target is that of a member as it will be.
func (s *step) target(id string) assignor.Assignment {
	if s.targets != nil {
		return s.targets[id]
	}
	if old := s.replaced[id]; old != "" {
		id = old
	}
	return s.g.targets[id]
}

// views is the members as assignors see them.
func (s *step) views(members []*member) []assignor.Member {
	views := make([]assignor.Member, 0, len(members))
	for _, m := range members {
		v := assignor.Member{ID: m.id, Topics: s.subscribed(m), Had: s.g.targets[m.id]}
		if old := s.replaced[m.id]; old != "" {
			v.Had = s.g.targets[old]
		}
		if m.instance != nil {
			v.Instance = *m.instance
		}
		views = append(views, v)
	}
	return views
}

// counts is the number of partitions of the topics that somebody wants.
func (s *step) counts() map[assignor.ID]int32 {
	counts := map[assignor.ID]int32{}
	for _, name := range s.wanted() {
		if t, ok := s.env.Topics.Topic(name); ok {
			counts[t.ID] = t.Partitions
		}
	}
	return counts
}

// assignor is the one that most members ask for.
func (s *step) assignor(members []*member) assignor.Func {
	f, _ := assignor.ByName(preferred(members))
	return f
}

// preferred is the name of the assignor that most members ask for; without a wish
// it is the uniform one.
func preferred(members []*member) string {
	votes := map[string]int{}
	for _, m := range members {
		if m.assignor == nil {
			continue
		}
		if _, ok := assignor.ByName(*m.assignor); ok {
			votes[*m.assignor]++
		}
	}
	best := assignor.UniformName
	for _, name := range sortedKeys(votes) {
		if votes[name] > votes[best] {
			best = name
		}
	}
	return best
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
