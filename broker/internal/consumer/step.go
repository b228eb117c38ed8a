package consumer

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
	replaced map[string]string // a new member -> the one whose place it takes
	regexes  map[string]regex  // newly resolved
}

func (g *Group) begin(env group.Env) *step {
	return &step{Step: g.Begin(env), g: g, replaced: map[string]string{}, regexes: map[string]regex{}}
}

// tell records what a member tells of itself.
func (s *step) tell(m *member) { s.Tell(m, m.metadataSchema) }

// give records what a member has.
func (s *step) give(m *member) { s.Give(m, m.currentSchema) }

// fence removes members, and bumps the epoch for it.
func (s *step) fence(ids ...string) {
	s.Drop(ids...)
	if s.downgrade(ids) {
		return
	}
	s.Remove(ids...)
	s.refresh(membership.Changed)
}

// refresh looks at the topics that members want, and bumps the group's epoch if
// they are others than before or somebody has changed.
func (s *step) refresh(c membership.Change) {
	s.dropRegexes()
	if len(s.regexes) > 0 {
		c = max(c, membership.Unsure)
	}
	hash, call := s.Look(c, s.wanted)
	if !call {
		return
	}
	s.Bump(membership.First)
	v := groupValue{epoch: s.Epoch, hash: hash}
	s.Add(s.g.Record(group.ConsumerGroup, "", v.schema))
}

// wanted lists the topics that members subscribe to, which need not exist.
func (s *step) wanted() []string {
	names := map[string]bool{}
	for _, m := range s.All() {
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
			if t, ok := s.Env.Topics.Topic(name); ok {
				ids[t.ID] = true
			}
		}
	}
	return ids
}

// due says whether the last target is old enough for another.
func (s *step) due() bool { return s.Due(s.Env.Settings.Consumer.AssignmentInterval) }

// assign computes a new target if the group's epoch calls for one, unless the last
// one is too young.
func (s *step) assign() {
	if s.Epoch <= s.TargetAt || !s.due() {
		return
	}
	members := s.All()
	targets := s.assignor(members)(s.views(members), s.counts())
	s.Retarget(members, targets, func(m *member) bool { return s.replaced[m.id] != "" })
}

// target is that of a member as it will be. One that takes the place of another
// has that one's, until there is a new one.
func (s *step) target(id string) assignor.Assignment {
	if old := s.replaced[id]; old != "" && s.Targets == nil {
		id = old
	}
	return s.Target(id)
}

// views is the members as assignors see them.
func (s *step) views(members []*member) []assignor.Member {
	views := make([]assignor.Member, 0, len(members))
	for _, m := range members {
		v := assignor.Member{ID: m.id, Topics: s.subscribed(m), Had: s.g.Target[m.id]}
		if old := s.replaced[m.id]; old != "" {
			v.Had = s.g.Target[old]
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
		if t, ok := s.Env.Topics.Topic(name); ok {
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
