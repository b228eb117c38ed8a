package streams

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/membership"
)

// goal is what a member is to be brought to.
type goal struct {
	epoch  int32 // of the target
	target assignor.Roles
	// reported is what the member says it has; nil if it says nothing.
	reported *assignor.Roles
	// others lists all other members.
	others func() []*member
}

// reconcile brings a member as near to its goal as the others and it let it. It
// returns the member if there is nothing to do, and else a changed copy.
func reconcile(m *member, g goal) *member {
	switch {
	case m.Phase == membership.Stable && m.Epoch != g.epoch, m.Phase == membership.Releasing, m.Phase == membership.Revoking && !g.holds(m.pending):
		return g.next(m)
	}
	return m
}

// holds says whether the member still has, or may have, some of the tasks. Who says
// nothing may still be closing them.
func (g goal) holds(r assignor.Roles) bool {
	if g.reported == nil {
		return true
	}
	has := roles(g.reported)
	for i, t := range roles(&r) {
		for name, ps := range *has[i] {
			if slices.ContainsFunc(ps, func(p int32) bool { return t.Has(name, p) }) {
				return true
			}
		}
	}
	return false
}

// next compares what the member has with the target: first it gives back what it
// shouldn't have, then it gets what is free.
func (g goal) next(m *member) *member {
	kept, back := noTasks(), noTasks()
	targets, keeps, backs := roles(&g.target), roles(&kept), roles(&back)
	for i, has := range roles(&m.assigned) {
		split(*has, *targets[i], *keeps[i], *backs[i])
	}
	c := m.clone()
	if !empty(back) && g.holds(back) {
		c.Phase, c.assigned, c.pending, c.since = membership.Revoking, kept, back, m.since.of(kept.Active)
		c.Advance(m.Epoch)
		return c
	}
	c.Phase, c.pending, c.since = membership.Stable, noTasks(), m.since.of(kept.Active)
	used := g.used(m.process, kept)
	for i, target := range targets {
		for name, ps := range *target {
			for _, p := range ps {
				// An active task writes, so there is one at a time; a process has one
				// store for a task, whatever its role there.
				switch at := (task{name, p}); {
				case keeps[i].Has(name, p):
				case used.here[at] || i == 0 && used.active[at]:
					c.Phase = membership.Releasing
				default:
					insert(*keeps[i], name, p)
					if i == 0 {
						c.since.put(name, p, g.epoch)
					}
				}
			}
		}
	}
	c.assigned = kept
	c.Advance(g.epoch)
	return c
}

type task struct {
	subtopology string
	partition   int32
}

// used is which tasks are in use: by an active task somewhere, or in any way in
// the process.
type used struct{ active, here map[task]bool }

func (g goal) used(process string, kept assignor.Roles) used {
	u := used{map[task]bool{}, map[task]bool{}}
	u.take(kept, true)
	for _, m := range g.others() {
		u.take(m.assigned, m.process == process)
		u.take(m.pending, m.process == process)
	}
	return u
}

func (u used) take(r assignor.Roles, here bool) {
	for i, t := range roles(&r) {
		for name, ps := range *t {
			for _, p := range ps {
				if i == 0 {
					u.active[task{name, p}] = true
				}
				if here {
					u.here[task{name, p}] = true
				}
			}
		}
	}
}

// split sorts tasks by whether they are in the target.
func split(has, target, in, out assignor.Tasks) {
	for name, ps := range has {
		for _, p := range ps {
			if target.Has(name, p) {
				in[name] = append(in[name], p)
			} else {
				out[name] = append(out[name], p)
			}
		}
	}
}

// insert adds a task in its place.
func insert(t assignor.Tasks, name string, p int32) {
	at, _ := slices.BinarySearch(t[name], p)
	t[name] = slices.Insert(t[name], at, p)
}

// of is the epochs of some tasks.
func (e epochs) of(t assignor.Tasks) epochs {
	out := epochs{}
	for name, ps := range t {
		for _, p := range ps {
			out.put(name, p, e[name][p])
		}
	}
	return out
}
