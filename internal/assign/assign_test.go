package assign

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawSubs(t *rapid.T) []Sub {
	var subs []Sub
	for i := range rapid.IntRange(0, 4).Draw(t, "subs") {
		subs = append(subs, Sub{
			ID:    int32(i),
			Tasks: rapid.Int32Range(0, 12).Draw(t, "tasks"),
			Kind:  rapid.SampledFrom([]Kind{Stateless, Stateful}).Draw(t, "kind"),
		})
	}
	return subs
}

func drawMembers(t *rapid.T, subs []Sub, capacity int) []Member {
	var all []Task
	for _, s := range subs {
		for n := range s.Tasks + 1 { // the last one doesn't exist
			all = append(all, Task{s.ID, n})
		}
	}
	var members []Member
	for i := range rapid.IntRange(1, 6).Draw(t, "members") {
		m := Member{
			ID:         fmt.Sprintf("m%d", i),
			Capacity:   rapid.IntRange(1, capacity).Draw(t, "capacity"),
			Generation: rapid.Int32Range(-1, 2).Draw(t, "generation"),
		}
		for _, task := range all {
			// Several may claim the same task: it happens, after a member
			// was fenced.
			switch rapid.IntRange(0, 4).Draw(t, "holds") {
			case 0:
				m.Held = append(m.Held, task)
			case 1:
				m.State = append(m.State, State{task, rapid.Int64Range(0, 3).Draw(t, "offsets")})
			}
		}
		members = append(members, m)
	}
	return members
}

func spread(plan Plan, count func(Task) bool) int {
	least, most := -1, 0
	for _, tasks := range plan {
		n := 0
		for _, t := range tasks {
			if count(t) {
				n++
			}
		}
		if least < 0 || n < least {
			least = n
		}
		most = max(most, n)
	}
	return most - least
}

func TestEveryTaskOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subs := drawSubs(t)
		members := drawMembers(t, subs, 4)
		plan := Tasks(members, subs)
		if len(plan) != len(members) {
			t.Fatalf("%d members in the plan, want %d", len(plan), len(members))
		}
		seen := map[Task]string{}
		for id, tasks := range plan {
			for _, task := range tasks {
				if by, twice := seen[task]; twice {
					t.Fatalf("%v is assigned to %s and %s", task, by, id)
				}
				seen[task] = id
			}
		}
		want := 0
		for _, s := range subs {
			want += int(s.Tasks)
		}
		if len(seen) != want {
			t.Fatalf("%d tasks assigned, want %d", len(seen), want)
		}
	})
}

func TestBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subs := drawSubs(t)
		plan := Tasks(drawMembers(t, subs, 1), subs)
		stateful := map[int32]bool{}
		for _, s := range subs {
			stateful[s.ID] = s.Kind == Stateful
			if d := spread(plan, func(task Task) bool { return task.Sub == s.ID }); d > 1 {
				t.Fatalf("sub-topology %d: counts differ by %d: %v", s.ID, d, plan)
			}
		}
		if d := spread(plan, func(task Task) bool { return stateful[task.Sub] }); d > 1 {
			t.Fatalf("stateful tasks: counts differ by %d: %v", d, plan)
		}
		if d := spread(plan, func(Task) bool { return true }); d > 1 {
			t.Fatalf("all tasks: counts differ by %d: %v", d, plan)
		}
	})
}

func TestCapacityIsAWeight(t *testing.T) {
	plan := Tasks([]Member{{ID: "small", Capacity: 1}, {ID: "big", Capacity: 3}}, []Sub{{ID: 0, Tasks: 12}})
	if len(plan["small"]) != 3 || len(plan["big"]) != 9 {
		t.Errorf("12 tasks by 1:3: %d and %d, want 3 and 9", len(plan["small"]), len(plan["big"]))
	}
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subs := drawSubs(t)
		members := drawMembers(t, subs, 3)
		want := Tasks(members, subs)
		for i := range members {
			members[i].Held = rapid.Permutation(members[i].Held).Draw(t, "held")
			members[i].State = rapid.Permutation(members[i].State).Draw(t, "state")
		}
		got := Tasks(rapid.Permutation(members).Draw(t, "order"), rapid.Permutation(subs).Draw(t, "subs"))
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("(-first +shuffled)\n%s", d)
		}
	})
}

// carryOut makes the members hold what the plan gave them.
func carryOut(members []Member, plan Plan) []Member {
	members = slices.Clone(members)
	for i := range members {
		members[i].Held = slices.Clone(plan[members[i].ID])
		members[i].Generation = 9
	}
	return members
}

func TestACarriedOutPlanStays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subs := drawSubs(t)
		members := drawMembers(t, subs, 3)
		plan := Tasks(members, subs)
		if d := cmp.Diff(plan, Tasks(carryOut(members, plan), subs)); d != "" {
			t.Fatalf("moves again (-first +second)\n%s", d)
		}
	})
}

// A cooperative rebalance carries a plan out in two steps: tasks that move are
// free in between, and the second plan must be the first one.
func TestSecondStepOfARebalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		subs := []Sub{{ID: 0, Tasks: rapid.Int32Range(0, 20).Draw(t, "tasks"), Kind: Stateful}}
		var members []Member
		for i := range rapid.IntRange(1, 5).Draw(t, "members") {
			members = append(members, Member{ID: fmt.Sprintf("m%d", i)})
		}
		old := carryOut(members, Tasks(members, subs))
		members = append(old, Member{ID: rapid.SampledFrom([]string{"a", "z"}).Draw(t, "new")})
		plan := Tasks(members, subs)
		between := slices.Clone(members)
		for i, m := range between {
			between[i].Held = slices.DeleteFunc(slices.Clone(m.Held), func(task Task) bool {
				return !slices.Contains(plan[m.ID], task)
			})
		}
		if d := cmp.Diff(plan, Tasks(between, subs)); d != "" {
			t.Fatalf("(-first step +second)\n%s", d)
		}
	})
}

func TestOnlyWhatMustMovesWhenAMemberComesOrGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tasks := rapid.Int32Range(0, 30).Draw(t, "tasks")
		subs := []Sub{{ID: 0, Tasks: tasks, Kind: Stateful}}
		n := rapid.IntRange(2, 6).Draw(t, "members")
		var members []Member
		for i := range n {
			members = append(members, Member{ID: fmt.Sprintf("m%d", i)})
		}
		before := Tasks(members, subs)
		held := carryOut(members, before)

		moved := 0
		for id, after := range Tasks(append(held, Member{ID: "new"}), subs) {
			for _, task := range after {
				if !slices.Contains(before[id], task) {
					moved++
					if id != "new" {
						t.Fatalf("%v moved to %s, which was there already", task, id)
					}
				}
			}
		}
		if most := int(tasks)/(n+1) + 1; moved > most {
			t.Fatalf("%d tasks moved to the new member, want at most %d", moved, most)
		}

		gone := rapid.IntRange(0, n-1).Draw(t, "gone")
		left := slices.Delete(slices.Clone(held), gone, gone+1)
		for id, after := range Tasks(left, subs) {
			for _, task := range before[id] {
				if !slices.Contains(after, task) {
					t.Fatalf("%v moved away from %s, which is still there", task, id)
				}
			}
		}
	})
}

func TestATaskGoesWhereItsStateIs(t *testing.T) {
	subs := []Sub{{ID: 0, Tasks: 4, Kind: Stateful}}
	// b ran tasks 1 and 2 before its restart; a has all of them now, and b has
	// a new ID.
	plan := Tasks([]Member{
		{ID: "a", Held: []Task{{0, 0}, {0, 1}, {0, 2}, {0, 3}}},
		{ID: "b", State: []State{{Task{0, 1}, 100}, {Task{0, 2}, 90}}},
	}, subs)
	want := Plan{"a": {{0, 0}, {0, 3}}, "b": {{0, 1}, {0, 2}}}
	if d := cmp.Diff(want, plan); d != "" {
		t.Errorf("after a restart (-want +got)\n%s", d)
	}
	plan = Tasks([]Member{
		{ID: "a", State: []State{{Task{0, 0}, 5}}},
		{ID: "b", State: []State{{Task{0, 0}, 7}, {Task{0, 1}, 7}}},
	}, subs[:1])
	if !slices.Contains(plan["b"], Task{0, 0}) {
		t.Errorf("task 0 isn't where most of its state is: %v", plan)
	}
}

func TestTheLaterGenerationHolds(t *testing.T) {
	plan := Tasks([]Member{
		{ID: "a", Generation: 3, Held: []Task{{0, 0}}},
		{ID: "b", Generation: 4, Held: []Task{{0, 0}}},
	}, []Sub{{ID: 0, Tasks: 2}})
	if !slices.Contains(plan["b"], Task{0, 0}) {
		t.Errorf("task 0 isn't with the member of the later generation: %v", plan)
	}
}

func TestNoMembersNoTasks(t *testing.T) {
	if plan := Tasks(nil, []Sub{{ID: 0, Tasks: 3}}); len(plan) != 0 {
		t.Errorf("plan for no members: %v", plan)
	}
	if plan := Tasks([]Member{{ID: "a"}}, nil); len(plan) != 1 || len(plan["a"]) != 0 {
		t.Errorf("plan of no tasks: %v", plan)
	}
}
