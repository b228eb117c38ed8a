package assignor

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func genTaskMember(t *rapid.T, id string) TaskMember {
	return TaskMember{ID: id, Process: rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "process")}
}

func TestSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var subs []Subtopology
		for i := range rapid.IntRange(1, 3).Draw(t, "sub-topologies") {
			subs = append(subs, Subtopology{fmt.Sprint(i), int32(rapid.IntRange(1, 5).Draw(t, "tasks")), rapid.Bool().Draw(t, "stateful")})
		}
		var members []TaskMember
		for i := range rapid.IntRange(1, 5).Draw(t, "members") {
			members = append(members, genTaskMember(t, fmt.Sprint("m", i)))
		}
		standbys := rapid.IntRange(0, 2).Draw(t, "standbys")
		for round := range 4 {
			got := Sticky(members, subs, standbys)
			checkTasks(t, members, subs, standbys, got)
			for i := range members {
				members[i].Had = got[members[i].ID]
			}
			again := Sticky(members, subs, standbys)
			if !maps.EqualFunc(got, again, func(a, b Roles) bool { return a.Active.Equal(b.Active) }) {
				t.Fatalf("nothing changed, but %v became %v", got, again)
			}
			if rapid.Bool().Draw(t, "leaves") && len(members) > 1 {
				members = members[1:]
			} else {
				members = append(members, genTaskMember(t, fmt.Sprint("n", round)))
			}
		}
	})
}

func checkTasks(t *rapid.T, members []TaskMember, subs []Subtopology, standbys int, got map[string]Roles) {
	active, copies := map[task]string{}, map[task][]string{} // by process
	lo, hi := 1<<30, 0
	for _, m := range members {
		r := got[m.ID]
		lo, hi = min(lo, r.Active.Count()), max(hi, r.Active.Count())
		for name, ps := range r.Active {
			for _, p := range ps {
				if active[task{name, p}] != "" {
					t.Fatalf("%s %d has two owners", name, p)
				}
				active[task{name, p}] = m.Process
			}
		}
		for name, ps := range r.Standby {
			for _, p := range ps {
				copies[task{name, p}] = append(copies[task{name, p}], m.Process)
			}
		}
	}
	if hi > lo+1 {
		t.Fatalf("one has %d active tasks, another %d", lo, hi)
	}
	processes := map[string]bool{}
	for _, m := range members {
		processes[m.Process] = true
	}
	for _, s := range subs {
		want := 0
		if s.Stateful {
			want = min(standbys, len(processes)-1)
		}
		for p := range s.Tasks {
			k := task{s.Name, p}
			all := slices.Sorted(slices.Values(append(copies[k], active[k])))
			if active[k] == "" || len(all) != want+1 || len(slices.Compact(all)) != want+1 {
				t.Fatalf("task %v is active at %q, standby at %v; %d standbys are wanted", k, active[k], copies[k], want)
			}
			delete(active, k)
		}
	}
	if len(active) > 0 {
		t.Fatalf("tasks that don't exist: %v", active)
	}
}

// Who had a standby takes over.
func TestSticky_StandbyTakesOver(t *testing.T) {
	subs := []Subtopology{{"0", 3, true}}
	members := []TaskMember{{ID: "a", Process: "p"}, {ID: "b", Process: "q"}, {ID: "c", Process: "r"}}
	got := Sticky(members, subs, 1)
	var left []TaskMember
	var lost Tasks
	for _, m := range members {
		m.Had = got[m.ID]
		if m.ID == "a" {
			lost = m.Had.Active
			continue
		}
		left = append(left, m)
	}
	after := Sticky(left, subs, 1)
	for name, ps := range lost {
		for _, p := range ps {
			for _, m := range left {
				if after[m.ID].Active.Has(name, p) && !m.Had.Standby.Has(name, p) {
					t.Errorf("%s takes task %s %d, whose standby is not there: %+v, before %+v", m.ID, name, p, after, got)
				}
			}
		}
	}
}
