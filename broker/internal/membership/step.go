package membership

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/flex"
	"github.com/leatstream/leat/broker/internal/group"
)

// Change says whether something has changed that calls for a new epoch.
type Change uint8

// What may have changed: nothing, perhaps which topics members want, or who the
// members are and what they want.
const (
	Unchanged Change = iota
	Unsure
	Changed
)

// ChangedIf is Changed if it is so, and else Unchanged.
func ChangedIf(so bool) Change {
	if so {
		return Changed
	}
	return Unchanged
}

// Step is a decision in the making: what the roster will be once the records are
// applied. Until then, and if they can't be stored, it is as before.
type Step[M Member, T Target[T]] struct {
	Env group.Env
	// Effects are the records so far, and the answers.
	Effects         group.Effects
	Epoch, TargetAt int32
	// Targets is what members will have to have; nil if that is as before.
	Targets map[string]T

	roster *Roster[M, T]
	will   map[string]M // changed or new members; nil is removed
}

// Begin begins a step.
func (r *Roster[M, T]) Begin(env group.Env) Step[M, T] {
	return Step[M, T]{
		Env: env, Effects: group.Effects{Deferred: true}, Epoch: r.Epoch, TargetAt: r.TargetAt,
		roster: r, will: map[string]M{},
	}
}

// Add adds records.
func (s *Step[M, T]) Add(rs ...group.Record) { s.Effects.Records = append(s.Effects.Records, rs...) }

// Tell records what a member tells of itself.
func (s *Step[M, T]) Tell(m M, schema func(*flex.Coder)) {
	s.Add(s.roster.Record(s.roster.records.Member, m.Name(), schema))
	s.will[m.Name()] = m
}

// Give records what a member has.
func (s *Step[M, T]) Give(m M, schema func(*flex.Coder)) {
	s.Add(s.roster.Record(s.roster.records.Current, m.Name(), schema))
	s.will[m.Name()] = m
}

// Drop takes members out, of whom the records are still to be removed.
func (s *Step[M, T]) Drop(ids ...string) {
	var nobody M
	for _, id := range ids {
		s.will[id] = nobody
	}
}

// Remove takes members out.
func (s *Step[M, T]) Remove(ids ...string) {
	s.Drop(ids...)
	for _, id := range ids {
		s.Add(s.roster.MemberTombstones(id)...)
	}
}

// Touched says whether the member is as the step makes it.
func (s *Step[M, T]) Touched(m M) bool {
	will, ok := s.will[m.Name()]
	return ok && will == m
}

// Untouched says whether the step has changed no member so far.
func (s *Step[M, T]) Untouched() bool { return len(s.will) == 0 }

// All lists the members as they will be, by their ids.
func (s *Step[M, T]) All() []M {
	all := maps.Clone(s.roster.Member)
	maps.Copy(all, s.will)
	var nobody M
	maps.DeleteFunc(all, func(_ string, m M) bool { return m == nobody })
	ms := make([]M, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		ms = append(ms, all[id])
	}
	return ms
}

// Look looks at the topics that members want, if they may be others than before.
// It returns their hash, and whether that calls for a new epoch. Topics are not
// looked at again until they change, or the hash is stored.
func (s *Step[M, T]) Look(c Change, wanted func() []string) (hash int64, call bool) {
	r := s.roster
	if c == Unchanged && r.Seen == s.Env.Topics {
		return r.Hash, false
	}
	if hash = group.Hash(s.Env.Topics, wanted()); hash != r.Hash {
		return hash, true
	}
	r.Seen = s.Env.Topics
	return hash, c == Changed
}

// Bump gives the group the next epoch, at least first.
func (s *Step[M, T]) Bump(first int32) { s.Epoch = max(s.Epoch+1, first) }

// Due says whether the last target is old enough for another. A clock that went
// back must not keep members waiting.
func (s *Step[M, T]) Due(interval time.Duration) bool {
	age := s.Env.Now.UnixMilli() - s.roster.Computed
	return s.roster.Computed == 0 || age < 0 || age >= interval.Milliseconds()
}

// Retarget makes a new target, for the group's epoch. The targets of members are
// stored where they are others than before, and where anew says so, if it isn't nil.
func (s *Step[M, T]) Retarget(members []M, targets map[string]T, anew func(M) bool) {
	r := s.roster
	s.Targets = make(map[string]T, len(members))
	for _, m := range members {
		id := m.Name()
		t := targets[id]
		s.Targets[id] = t
		if old, ok := r.Target[id]; !ok || !old.Equal(t) || anew != nil && anew(m) {
			s.Add(r.Record(r.records.MemberTarget, id, r.records.Schema(&t)))
		}
	}
	s.TargetAt, s.Effects.Rebalanced = s.Epoch, true
	s.Add(r.TargetRecord(s.TargetAt, s.Env.Now.UnixMilli()))
}

// Target is that of a member as it will be.
func (s *Step[M, T]) Target(id string) T {
	if s.Targets != nil {
		return s.Targets[id]
	}
	return s.roster.Target[id]
}
