package assign

import (
	"cmp"
	"slices"
)

// Task names a task: one partition of one sub-topology. All its input
// partitions have that number and move together.
type Task struct {
	Sub       int32
	Partition int32
}

// Compare orders tasks by sub-topology, then by partition.
func (t Task) Compare(o Task) int {
	return cmp.Or(cmp.Compare(t.Sub, o.Sub), cmp.Compare(t.Partition, o.Partition))
}

// Kind says whether the tasks of a sub-topology have state to move with them.
type Kind uint8

// The kinds of sub-topologies.
const (
	Stateless Kind = iota
	Stateful
)

// Sub is a sub-topology: Tasks tasks, numbered from 0.
type Sub struct {
	ID    int32
	Tasks int32
	Kind  Kind
}

// State is how much of a task's state a member has on its disk.
type State struct {
	Task Task
	// Offsets is the sum of the changelog offsets up to which the state was
	// written: the more, the less is left to restore.
	Offsets int64
}

// Member is what a member of the group said of itself.
type Member struct {
	ID string
	// Capacity is the member's weight, such as its number of workers; less
	// than 1 counts as 1.
	Capacity int
	// Generation is the last generation of the group that the member was in.
	// It decides between two members that both say they run a task.
	Generation int32
	// Held are the tasks that the member runs now.
	Held []Task
	// State is what the member has on disk, of tasks that it runs or not.
	State []State
}

// Plan maps a member's ID to its tasks, in order. Every member has an entry.
type Plan map[string][]Task

// Tasks assigns each task of subs to one of the members. A plan for no members
// is empty. Tasks held or stored that no longer exist are ignored, and of two
// members or two subs with the same ID only one counts. The arguments are not
// modified.
func Tasks(members []Member, subs []Sub) Plan {
	p := newPlanner(members, subs)
	if len(p.members) == 0 {
		return Plan{}
	}
	for _, sub := range p.subs {
		p.assign(sub)
	}
	plan := make(Plan, len(p.members))
	for _, m := range p.members {
		slices.SortFunc(m.tasks, Task.Compare)
		plan[m.id] = m.tasks
	}
	return plan
}

// member is a member while a plan is made.
type member struct {
	id     string
	weight int64
	state  map[Task]int64
	tasks  []Task // assigned so far

	// Of the sub-topology in hand:
	held  []Task
	quota int // how many it gets
	room  int // how many of these it doesn't hold yet
}

type planner struct {
	members []*member // by ID
	subs    []Sub     // stateful ones first, then by ID
	holder  map[Task]*member
	weight  int64 // of all members
	planned int64 // tasks of the sub-topologies done, and of the one in hand
}

func newPlanner(in []Member, subs []Sub) *planner {
	p := &planner{holder: make(map[Task]*member)}
	in = slices.Clone(in)
	slices.SortStableFunc(in, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.Generation, a.Generation))
	})
	in = slices.CompactFunc(in, func(a, b Member) bool { return a.ID == b.ID })
	generation := make(map[Task]int32)
	for _, m := range in {
		mm := &member{id: m.ID, weight: int64(max(m.Capacity, 1)), state: make(map[Task]int64, len(m.State))}
		for _, s := range m.State {
			mm.state[s.Task] = max(mm.state[s.Task], s.Offsets)
		}
		for _, t := range m.Held {
			// Of equal generations the first by ID wins, whatever the order.
			if p.holder[t] == nil || m.Generation > generation[t] {
				p.holder[t], generation[t] = mm, m.Generation
			}
		}
		p.members = append(p.members, mm)
		p.weight += mm.weight
	}
	p.subs = slices.Clone(subs)
	slices.SortStableFunc(p.subs, func(a, b Sub) int {
		return cmp.Or(cmp.Compare(b.Kind, a.Kind), cmp.Compare(a.ID, b.ID), cmp.Compare(b.Tasks, a.Tasks))
	})
	p.subs = slices.CompactFunc(p.subs, func(a, b Sub) bool { return a.ID == b.ID })
	return p
}

// assign gives every task of sub to a member: first how many each gets, then
// what it keeps of those it has, then the rest to whoever has most state of it.
func (p *planner) assign(sub Sub) {
	p.collectHeld(sub)
	p.setQuotas(sub)
	for _, m := range p.members {
		m.room = max(m.quota-len(m.held), 0)
	}
	for _, m := range p.members {
		p.keep(m)
	}
	var free []Task
	for n := range sub.Tasks {
		if t := (Task{Sub: sub.ID, Partition: n}); p.holder[t] == nil {
			free = append(free, t)
		}
	}
	// Tasks with state anywhere choose first, so that a member's room isn't
	// used up by tasks for which every place is as good.
	rest := free[:0]
	for _, t := range free {
		if m := p.richest(t); m != nil {
			m.fill(t)
		} else {
			rest = append(rest, t)
		}
	}
	for _, t := range rest {
		p.roomiest().fill(t)
	}
}

// collectHeld lists what each member holds of sub.
func (p *planner) collectHeld(sub Sub) {
	for _, m := range p.members {
		m.held = m.held[:0]
	}
	for n := range sub.Tasks {
		t := Task{Sub: sub.ID, Partition: n}
		if m := p.holder[t]; m != nil {
			m.held = append(m.held, t)
		}
	}
}

// setQuotas says how many tasks of sub each member gets: the whole part of its
// share, and one more for some. Those are the members that are furthest below
// their share of everything planned so far, which keeps the sums balanced too;
// between equals those that would have to give a task away otherwise. As the
// earlier sub-topologies were decided in the same way, a plan that was carried
// out gives the same quotas again.
func (p *planner) setQuotas(sub Sub) {
	p.planned += int64(sub.Tasks)
	extra := int(sub.Tasks)
	for _, m := range p.members {
		m.quota = int(int64(sub.Tasks) * m.weight / p.weight)
		extra -= m.quota
	}
	if extra == 0 {
		return
	}
	order := slices.Clone(p.members)
	slices.SortStableFunc(order, func(a, b *member) int {
		return cmp.Or(
			cmp.Compare(p.deficit(b), p.deficit(a)),
			cmp.Compare(b.excess(), a.excess()),
			cmp.Compare(b.known(sub), a.known(sub)),
		)
	})
	for _, m := range order[:extra] {
		m.quota++
	}
}

// deficit is how far m is below its share of what is planned, in units of a
// task divided by the weight of all members.
func (p *planner) deficit(m *member) int64 {
	return p.planned*m.weight - int64(len(m.tasks)+m.quota)*p.weight
}

// excess is 1 for a member that holds more tasks than its quota.
func (m *member) excess() int {
	if len(m.held) > m.quota {
		return 1
	}
	return 0
}

// known counts the tasks of sub of which m has state.
func (m *member) known(sub Sub) (n int) {
	for i := range sub.Tasks {
		if _, ok := m.state[Task{Sub: sub.ID, Partition: i}]; ok {
			n++
		}
	}
	return n
}

// keep leaves m as many of its tasks as its quota allows. It gives away first
// what another member has as much state of: such a task is least missed.
func (p *planner) keep(m *member) {
	if len(m.held) > m.quota {
		slices.SortStableFunc(m.held, func(a, b Task) int {
			return cmp.Or(cmp.Compare(p.loss(m, a), p.loss(m, b)), a.Compare(b))
		})
		for _, t := range m.held[m.quota:] {
			delete(p.holder, t)
		}
		m.held = m.held[:m.quota]
	}
	m.tasks = append(m.tasks, m.held...)
}

// loss is how readily m gives t away: 1 where a member with room has state of
// it, else 0.
func (p *planner) loss(m *member, t Task) int {
	for _, o := range p.members {
		if _, ok := o.state[t]; ok && o != m && o.room > 0 {
			return 1
		}
	}
	return 0
}

// fill gives m a task that it doesn't hold.
func (m *member) fill(t Task) {
	m.tasks = append(m.tasks, t)
	m.room--
}

// richest returns the member with room that has most state of t, or nil.
func (p *planner) richest(t Task) *member {
	var best *member
	for _, m := range p.members {
		offsets, ok := m.state[t]
		if ok && m.room > 0 && (best == nil || offsets > best.state[t]) {
			best = m
		}
	}
	return best
}

// roomiest returns the member with the most room; there always is one, as the
// quotas of a sub-topology add up to its tasks.
func (p *planner) roomiest() *member {
	best := p.members[0]
	for _, m := range p.members[1:] {
		if m.room > best.room {
			best = m
		}
	}
	return best
}
