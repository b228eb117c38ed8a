package assignor

import (
	"cmp"
	"maps"
	"slices"
)

// Tasks is tasks, in ascending order of their partitions, by sub-topology. A
// sub-topology without tasks isn't in it.
type Tasks map[string][]int32

// Equal says whether two sets have the same tasks.
func (t Tasks) Equal(b Tasks) bool { return maps.EqualFunc(t, b, slices.Equal[[]int32]) }

// Has says whether the task is in the set.
func (t Tasks) Has(subtopology string, p int32) bool {
	_, ok := slices.BinarySearch(t[subtopology], p)
	return ok
}

// Count is the number of tasks.
func (t Tasks) Count() int {
	n := 0
	for _, ps := range t {
		n += len(ps)
	}
	return n
}

// Names are the sub-topologies, in order.
func (t Tasks) Names() []string { return slices.Sorted(maps.Keys(t)) }

// Roles is the tasks of a member of a streams group by what it does with them.
type Roles struct {
	Active, Standby, Warmup Tasks
}

// Equal says whether two members do the same.
func (r Roles) Equal(b Roles) bool {
	return r.Active.Equal(b.Active) && r.Standby.Equal(b.Standby) && r.Warmup.Equal(b.Warmup)
}

// TaskMember is a member of a streams group. Members of the same process share its
// disk and its fate: a standby beside its active task is worth nothing.
type TaskMember struct {
	ID, Process string
	Had         Roles // what it was given last
}

// Subtopology is a part of a topology, which has a task for each partition.
type Subtopology struct {
	Name     string
	Tasks    int32
	Stateful bool
}

// Sticky assigns active tasks, and as many standbys of each stateful one, to the
// members of a streams group. Active tasks stay where they were, or else go where
// a standby was; members have as many as others, or one more. Standbys are in
// other processes than their active task and each other; those for which there is
// no process are left out.
func Sticky(members []TaskMember, subtopologies []Subtopology, standbys int) map[string]Roles {
	s := sticky{members: slices.SortedFunc(slices.Values(members), func(a, b TaskMember) int { return cmp.Compare(a.ID, b.ID) })}
	s.active, s.standby = make([]Tasks, len(members)), make([]Tasks, len(members))
	for i := range members {
		s.active[i], s.standby[i] = Tasks{}, Tasks{}
	}
	if len(members) > 0 {
		s.assignActive(tasksOf(subtopologies, func(Subtopology) bool { return true }))
		s.assignStandbys(tasksOf(subtopologies, func(t Subtopology) bool { return t.Stateful }), standbys)
	}
	out := map[string]Roles{}
	for i, m := range s.members {
		out[m.ID] = Roles{Active: sorted(s.active[i]), Standby: sorted(s.standby[i]), Warmup: Tasks{}}
	}
	return out
}

func sorted(t Tasks) Tasks {
	for _, ps := range t {
		slices.Sort(ps)
	}
	return t
}

type task struct {
	subtopology string
	partition   int32
}

// tasksOf lists tasks by partition, so that those which read the same partitions
// are spread over the members in the same way.
func tasksOf(subtopologies []Subtopology, which func(Subtopology) bool) []task {
	var ts []task
	for _, s := range subtopologies {
		if which(s) {
			for p := range s.Tasks {
				ts = append(ts, task{s.Name, p})
			}
		}
	}
	slices.SortFunc(ts, func(a, b task) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.subtopology, b.subtopology))
	})
	return ts
}

// sticky is an assignment in work. Members are their indexes.
type sticky struct {
	members         []TaskMember
	active, standby []Tasks
}

func add(t Tasks, k task) { t[k.subtopology] = append(t[k.subtopology], k.partition) }

// assignActive gives each task to one member.
func (s *sticky) assignActive(tasks []task) {
	n := len(s.members)
	quota, more := len(tasks)/n, len(tasks)%n // so many members may have one more
	room := func(i int) bool {
		have := s.active[i].Count()
		return have < quota || have == quota && more > 0
	}
	give := func(i int, t task) {
		if s.active[i].Count() == quota {
			more--
		}
		add(s.active[i], t)
	}
	tasks = s.keep(tasks, room, give, func(i int, t task) bool { return s.members[i].Had.Active.Has(t.subtopology, t.partition) })
	tasks = s.keep(tasks, room, give, func(i int, t task) bool {
		had := s.members[i].Had
		return had.Standby.Has(t.subtopology, t.partition) || had.Warmup.Has(t.subtopology, t.partition)
	})
	for _, t := range tasks {
		best := -1
		for i := range s.members {
			if room(i) && (best < 0 || s.active[i].Count() < s.active[best].Count()) {
				best = i
			}
		}
		give(best, t)
	}
}

// keep gives tasks to members that had them and have room, and returns the rest.
func (s *sticky) keep(tasks []task, room func(int) bool, give func(int, task), had func(int, task) bool) []task {
	var rest []task
next:
	for _, t := range tasks {
		for i := range s.members {
			if had(i, t) && room(i) {
				give(i, t)
				continue next
			}
		}
		rest = append(rest, t)
	}
	return rest
}

// assignStandbys gives each task so many standbys, as far as there are processes.
func (s *sticky) assignStandbys(tasks []task, replicas int) {
	total := len(tasks) * replicas
	for i := range s.members {
		total += s.active[i].Count()
	}
	quota := (total + len(s.members) - 1) / len(s.members)
	missing := map[task]int{}
	for _, t := range tasks {
		missing[t] = replicas
		for i, m := range s.members {
			if missing[t] > 0 && m.Had.Standby.Has(t.subtopology, t.partition) && s.load(i) < quota && s.free(m.Process, t) {
				add(s.standby[i], t)
				missing[t]--
			}
		}
	}
	for _, t := range tasks {
		for ; missing[t] > 0; missing[t]-- {
			best := -1
			for i, m := range s.members {
				if s.free(m.Process, t) && (best < 0 || s.load(i) < s.load(best)) {
					best = i
				}
			}
			if best < 0 {
				break
			}
			add(s.standby[best], t)
		}
	}
}

// load is how many tasks a member has.
func (s *sticky) load(i int) int { return s.active[i].Count() + s.standby[i].Count() }

// free says whether no member of a process has the task.
func (s *sticky) free(process string, t task) bool {
	for i, m := range s.members {
		if m.Process != process {
			continue
		}
		for _, has := range []Tasks{s.active[i], s.standby[i]} {
			if slices.Contains(has[t.subtopology], t.partition) {
				return false
			}
		}
	}
	return true
}
