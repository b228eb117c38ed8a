package cache_test

import (
	"cmp"
	"maps"
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"pgregory.net/rapid"
)

// Members are sorted sets, whatever was committed of them and wherever they are
// opened again. Groups of which one begins with another don't mix.
func TestMembers_AreSortedSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type stored struct {
			value string
			time  int64
		}
		var (
			db    = store.NewMem()
			out   = &changelog{}
			size  = budget(t)
			s     *cache.Members
			model = map[string]map[string]stored{}
		)
		open := func(tk *task.Task) {
			s = cache.OpenMembers(tk, &topology.Store{Name: "s", Kind: topology.KeyValue}, "JoinForeign(s)")
		}
		tk := newTask(t, db, out, size, open)
		groups := []string{"", "a", "a\x00", "ab", "\xff", "\xff\xff"}
		group := rapid.SampledFrom(groups)
		name := rapid.SampledFrom([]string{"", "1", "10", "2", "\xff"})
		check := func(t *rapid.T, g string) {
			var got []string
			err := s.Each([]byte(g), func(name, value []byte, time int64) bool {
				got = append(got, string(name))
				if want := model[g][string(name)]; want != (stored{string(value), time}) {
					t.Fatalf("%q in %q is %q at %d, want %v", name, g, value, time, want)
				}
				return true
			})
			must(t, err)
			want := slices.SortedFunc(maps.Keys(model[g]), cmp.Compare)
			if !slices.Equal(got, want) {
				t.Fatalf("%q has %q, want %q", g, got, want)
			}
			any, err := s.Any([]byte(g))
			must(t, err)
			if any != (len(want) > 0) {
				t.Fatalf("%q has a member: %t, but they are %q", g, any, want)
			}
		}
		put := func(t *rapid.T) {
			g, n := group.Draw(t, "group"), name.Draw(t, "name")
			v := stored{rapid.SampledFrom([]string{"", "x", "yy"}).Draw(t, "value"), rapid.Int64Range(0, 9).Draw(t, "time")}
			s.Put([]byte(g), []byte(n), []byte(v.value), v.time)
			if model[g] == nil {
				model[g] = map[string]stored{}
			}
			model[g][n] = v
		}
		t.Repeat(map[string]func(*rapid.T){
			"put":       put,
			"put again": put,
			"delete": func(t *rapid.T) {
				g, n := group.Draw(t, "group"), name.Draw(t, "name")
				s.Delete([]byte(g), []byte(n), 3)
				delete(model[g], n)
			},
			"read":   func(t *rapid.T) { check(t, group.Draw(t, "group")) },
			"flush":  func(t *rapid.T) { must(t, tk.Flush()) },
			"commit": func(t *rapid.T) { commit(t, tk, out) },
			"reopen": func(t *rapid.T) {
				commit(t, tk, out)
				tk = newTask(t, db, out, size, open)
			},
			"restore": func(t *rapid.T) {
				commit(t, tk, out)
				db = store.NewMem()
				tk = newTask(t, db, out, size, open)
				restore(t, tk, out)
			},
		})
		for _, g := range groups {
			check(t, g)
		}
	})
}

// A walk may end early.
func TestMembers_EachEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db, out := store.NewMem(), &changelog{}
		var s *cache.Members
		tk := newTask(t, db, out, 1<<20, func(tk *task.Task) { s = cache.OpenMembers(tk, &topology.Store{Name: "s"}, "") })
		for i, n := range []string{"a", "b", "c", "d"} {
			s.Put([]byte("g"), []byte(n), nil, 0)
			if i == rapid.IntRange(-1, 3).Draw(t, "commit after") {
				commit(t, tk, out)
			}
		}
		limit, seen := rapid.IntRange(1, 4).Draw(t, "limit"), 0
		must(t, s.Each([]byte("g"), func(_, _ []byte, _ int64) bool {
			seen++
			return seen < limit
		}))
		if seen != limit {
			t.Fatalf("walked %d, want %d", seen, limit)
		}
	})
}
