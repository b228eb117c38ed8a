package assignor

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func topic(n byte) ID { return ID{n} }

// world is members and topics, which change.
type world struct {
	members    []Member
	partitions map[ID]int32
}

func genWorld(t *rapid.T, same bool) world {
	w := world{partitions: map[ID]int32{}}
	for i := range rapid.IntRange(0, 5).Draw(t, "topics") {
		w.partitions[topic(byte(i))] = int32(rapid.IntRange(1, 9).Draw(t, "partitions"))
	}
	for i := range rapid.IntRange(1, 7).Draw(t, "members") {
		w.members = append(w.members, genMember(t, w, fmt.Sprint("m", i), same))
	}
	return w
}

func genMember(t *rapid.T, w world, id string, same bool) Member {
	m := Member{ID: id, Topics: map[ID]bool{}}
	if rapid.Bool().Draw(t, "static") {
		m.Instance = "i-" + id
	}
	for id := range w.partitions {
		if same || rapid.Bool().Draw(t, "subscribes") {
			m.Topics[id] = true
		}
	}
	return m
}

// check holds for all assignors: every partition that somebody subscribes to has
// one owner, who is a subscriber.
func (w world) check(t *rapid.T, got map[string]Assignment) {
	owners := map[string]string{}
	for _, m := range w.members {
		for id, ps := range got[m.ID] {
			if !m.Topics[id] {
				t.Fatalf("%s has a topic that it doesn't want", m.ID)
			}
			if !slices.IsSorted(ps) || len(ps) == 0 {
				t.Fatalf("%s has %v", m.ID, ps)
			}
			for _, p := range ps {
				at := fmt.Sprint(id, p)
				if owners[at] != "" || p < 0 || p >= w.partitions[id] {
					t.Fatalf("partition %d is of %q and %q", p, owners[at], m.ID)
				}
				owners[at] = m.ID
			}
		}
	}
	want := 0
	for id, n := range w.partitions {
		if slices.ContainsFunc(w.members, func(m Member) bool { return m.Topics[id] }) {
			want += int(n)
		}
	}
	if len(owners) != want {
		t.Fatalf("%d partitions have owners, not %d", len(owners), want)
	}
}

func (w world) keep(got map[string]Assignment) {
	for i := range w.members {
		w.members[i].Had = got[w.members[i].ID]
	}
}

func TestRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t, rapid.Bool().Draw(t, "same"))
		got := Range(w.members, w.partitions)
		w.check(t, got)
		for id := range w.partitions {
			lo, hi := 1<<30, 0
			for _, m := range w.members {
				if ps := got[m.ID][id]; m.Topics[id] {
					lo, hi = min(lo, len(ps)), max(hi, len(ps))
					if len(ps) > 0 && int(ps[len(ps)-1]-ps[0]) != len(ps)-1 {
						t.Fatalf("%v is no run", ps)
					}
				}
			}
			if hi > lo+1 {
				t.Fatalf("one has %d, another %d", lo, hi)
			}
		}
	})
}

func TestUniform(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		same := rapid.Bool().Draw(t, "same")
		w := genWorld(t, same)
		for round := range 4 {
			got := Uniform(w.members, w.partitions)
			w.check(t, got)
			w.checkBalance(t, got, same)
			w.keep(got)
			if again := Uniform(w.members, w.partitions); !maps.EqualFunc(got, again, Assignment.Equal) {
				t.Fatalf("nothing changed, but %v became %v", got, again)
			}
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				w.members = append(w.members, genMember(t, w, fmt.Sprint("n", round), same))
			case 1:
				if len(w.members) > 1 {
					w.members = slices.Delete(w.members, 0, 1)
				}
			case 2:
				for id := range w.partitions {
					w.partitions[id]++
				}
			}
		}
	})
}

// checkBalance holds that no partition could go to somebody with two less.
func (w world) checkBalance(t *rapid.T, got map[string]Assignment, same bool) {
	for _, a := range w.members {
		for _, b := range w.members {
			if got[a.ID].Count() < got[b.ID].Count()+2 {
				continue
			}
			if same {
				t.Fatalf("%s has %v, %s %v", a.ID, got[a.ID], b.ID, got[b.ID])
			}
			for id := range got[a.ID] {
				if b.Topics[id] {
					t.Fatalf("%s has %v, %s %v", a.ID, got[a.ID], b.ID, got[b.ID])
				}
			}
		}
	}
}

// A newcomer takes what is its share, and nothing else moves.
func TestUniform_MovesNoMoreThanItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWorld(t, true)
		before := Uniform(w.members, w.partitions)
		w.keep(before)
		w.members = append(w.members, genMember(t, w, "new", true))
		after := Uniform(w.members, w.partitions)
		for _, m := range w.members[:len(w.members)-1] {
			for id, ps := range after[m.ID] {
				for _, p := range ps {
					if !before[m.ID].Has(id, p) {
						t.Fatalf("partition %d moved to %s, which is not new", p, m.ID)
					}
				}
			}
		}
	})
}
