package cache_test

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/window"
	"pgregory.net/rapid"
)

// kept is a database that outlives its task.
type kept struct{ store.DB }

func (kept) Close() error { return nil }

// changelog is a task's output: what stores log.
type changelog struct{ recs []record.Record }

func (c *changelog) Send(o *task.Outgoing) error {
	c.recs = append(c.recs, record.Record{Key: o.Key, Value: o.Value, Time: o.Time, Offset: int64(len(c.recs))})
	return nil
}

// newTask makes a task of one node, which opens its store by open.
func newTask(t *rapid.T, db store.DB, out *changelog, cacheBytes int64, open func(*task.Task)) *task.Task {
	graph := &topology.Graph{}
	node := graph.Add(&topology.Node{Op: "Count", Name: "s", Kind: topology.Processor})
	sub := &topology.Subtopology{Nodes: []*topology.Node{node}}
	tk, err := task.New(task.Config{
		App: "app", Plan: &task.Plan{Graph: graph, Make: []func(*task.Task){open}}, Sub: sub,
		DB: kept{db}, Out: out, Clock: clock.NewManual(time.UnixMilli(0)), Logger: slog.New(slog.DiscardHandler),
		CacheBytes: cacheBytes, OnFailure: func(f *task.Failure) (task.Action, error) { return task.Fail, f },
	})
	must(t, err)
	return tk
}

func must(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func commit(t *rapid.T, tk *task.Task, out *changelog) {
	must(t, tk.Flush())
	must(t, tk.Persist(func(int) int64 { return int64(len(out.recs)) }))
}

// restore gives a new task with an empty database all of the changelog.
func restore(t *rapid.T, tk *task.Task, out *changelog) {
	must(t, tk.Restore(0, out.recs))
	must(t, tk.Restored(0, int64(len(out.recs))))
}

func budget(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{1, 500, 1 << 20}).Draw(t, "cache")
}

// A KeyValue is a map, whatever its cache holds, whenever it is committed, and
// wherever it is opened again. At each commit it tells what changed since the
// last.
func TestKeyValue_IsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			db       = store.NewMem()
			out      = &changelog{}
			size     = budget(t)
			kv       *cache.KeyValue[string, int64]
			told     = map[string]int64{} // what Changed made of it
			model    = map[string]int64{}
			times    = map[string]int64{}
			keepOld  = rapid.Bool().Draw(t, "keep old")
			flushing = false
		)
		open := func(tk *task.Task) {
			kv = cache.OpenKeyValue(tk, cache.Spec[string, int64]{
				Store: &topology.Store{Name: "s", Kind: topology.KeyValue}, Label: "Count(s)",
				Key: serde.String, Value: serde.Int64, KeepOld: keepOld,
				Changed: func(e *cache.Entry[string, int64]) error {
					if !flushing {
						return fmt.Errorf("%s is told outside a commit", e.Key)
					}
					if old, had := told[e.Key]; had != e.HadOld || had && old != e.Old {
						return fmt.Errorf("%s was %d, %t; it is told as %d, %t", e.Key, old, had, e.Old, e.HadOld)
					}
					if delete(told, e.Key); e.OK {
						told[e.Key] = e.Value
					}
					return nil
				},
			})
		}
		tk := newTask(t, db, out, size, open)
		key := rapid.SampledFrom([]string{"", "a", "b", "ba", "c", "\x00", "\xff"})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.Int64Range(-3, 3).Draw(t, "value")
				e, err := kv.Entry(k)
				must(t, err)
				if old, ok := model[k]; ok != e.OK || e.Value != old || ok && e.Time != times[k] {
					t.Fatalf("%q is %d, %t at %d; want %d, %t", k, e.Value, e.OK, e.Time, old, ok)
				}
				must(t, kv.Touch(e))
				model[k], times[k] = v, rapid.Int64Range(0, 1000).Draw(t, "time")
				kv.Set(e, v, times[k])
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				e, err := kv.Entry(k)
				must(t, err)
				must(t, kv.Touch(e))
				kv.Delete(e, 5)
				delete(model, k)
			},
			"get": func(t *rapid.T) {
				k := key.Draw(t, "key")
				e, err := kv.Entry(k)
				must(t, err)
				if old, ok := model[k]; ok != e.OK || e.Value != old {
					t.Fatalf("%q is %d, %t; want %d, %t", k, e.Value, e.OK, old, ok)
				}
				last, ok := told[k]
				if v, had := kv.Emitted(e); had != ok || had && v != last {
					t.Fatalf("%q was last told as %d, %t; Emitted says %d, %t", k, last, ok, v, had)
				}
			},
			"range": func(t *rapid.T) {
				from, to := key.Draw(t, "from"), key.Draw(t, "to")
				rows, err := kv.Rows(&from, &to)
				must(t, err)
				var got []string
				for _, r := range rows {
					if r.Value != model[r.Key] || r.Time != times[r.Key] {
						t.Fatalf("%q is %d at %d in a range, want %d at %d", r.Key, r.Value, r.Time, model[r.Key], times[r.Key])
					}
					got = append(got, r.Key)
				}
				want := slices.Collect(maps.Keys(model))
				want = slices.DeleteFunc(want, func(k string) bool { return k < from || k > to })
				sort.Strings(want)
				if !slices.Equal(got, want) {
					t.Fatalf("from %q to %q there are %q, want %q", from, to, got, want)
				}
			},
			"commit": func(t *rapid.T) {
				flushing = true
				commit(t, tk, out)
				flushing = false
				if !maps.Equal(told, model) {
					t.Fatalf("told %v, want %v", told, model)
				}
			},
			"reopen": func(t *rapid.T) {
				flushing = true
				commit(t, tk, out)
				flushing = false
				tk = newTask(t, db, out, size, open)
			},
			"restore": func(t *rapid.T) {
				flushing = true
				commit(t, tk, out)
				flushing = false
				db = store.NewMem()
				tk = newTask(t, db, out, size, open)
				restore(t, tk, out)
			},
		})
	})
}

// What was not committed is gone with the task, and nothing else.
func TestKeyValue_DatabaseHoldsCommits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db, out := store.NewMem(), &changelog{}
		var kv *cache.KeyValue[string, int64]
		open := func(tk *task.Task) {
			kv = cache.OpenKeyValue(tk, cache.Spec[string, int64]{Store: &topology.Store{Name: "s"}, Key: serde.String, Value: serde.Int64})
		}
		tk := newTask(t, db, out, budget(t), open)
		put := func(n int, v int64) {
			for i := range n {
				e, err := kv.Slot(fmt.Sprint(i))
				must(t, err)
				kv.Set(e, v, 0)
			}
		}
		committed := rapid.IntRange(0, 20).Draw(t, "committed")
		put(committed, 1)
		commit(t, tk, out)
		put(rapid.IntRange(0, 30).Draw(t, "more"), 2)
		newTask(t, db, out, 1<<20, open)
		rows, err := kv.Rows(nil, nil)
		must(t, err)
		if len(rows) != committed {
			t.Fatalf("%d rows, want %d", len(rows), committed)
		}
		for _, r := range rows {
			if r.Value != 1 {
				t.Fatalf("%s is %d, which was not committed", r.Key, r.Value)
			}
		}
	})
}

// Rows of windows that are over their retention are not seen, and leave the
// database.
func TestKeyValue_Expires(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		db, out := store.NewMem(), &changelog{}
		const retention = 100_000
		var kv *cache.KeyValue[window.Key[string], int64]
		open := func(tk *task.Task) {
			kv = cache.OpenKeyValue(tk, cache.Spec[window.Key[string], int64]{
				Store: &topology.Store{Name: "s", Kind: topology.Window}, Key: window.KeySerde(serde.String), Value: serde.Int64,
				Layout: cache.Layout{Retention: retention, TimeOf: func(key []byte) int64 {
					k, err := window.KeySerde(serde.String).Decode(key)
					must(t, err)
					return k.StartMS
				}},
			})
		}
		size := budget(t)
		tk := newTask(t, db, out, size, open)
		model, latest := map[window.Key[string]]int64{}, int64(-1)
		for i := range rapid.IntRange(1, 40).Draw(t, "writes") {
			start := rapid.Int64Range(0, 20).Draw(t, "start") * 30_000
			if start <= latest-retention {
				continue // the operators drop what comes so late
			}
			k := window.Key[string]{Key: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"), Span: window.Span{StartMS: start, EndMS: start + 1}}
			e, err := kv.Entry(k)
			must(t, err)
			must(t, kv.Touch(e))
			kv.Set(e, int64(i), start)
			model[k], latest = int64(i), max(latest, start)
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0:
				commit(t, tk, out)
			case 1:
				commit(t, tk, out)
				meta := tk.Metadata()
				tk = newTask(t, db, out, size, open)
				tk.Recall(meta)
			}
		}
		maps.DeleteFunc(model, func(k window.Key[string], _ int64) bool { return k.StartMS <= latest-retention })
		rows, err := kv.Rows(nil, nil)
		must(t, err)
		got := map[window.Key[string]]int64{}
		for _, r := range rows {
			got[r.Key] = r.Value
		}
		if !maps.Equal(got, model) {
			t.Fatalf("at %d there are %v, want %v", latest, got, model)
		}
		for range 3 { // what had expired at one commit is deleted with the next
			commit(t, tk, out)
		}
		live := 0
		id, err := db.Prefix("s")
		must(t, err)
		must(t, db.Scan(id.Key(nil), (id+1).Key(nil), func(key, value []byte) bool {
			live++
			return true
		}))
		// Segments of a minute: what expired less than that ago may still lie
		// there, and one cell is the store's own.
		if most := 2*(retention+60_000)/30_000 + 2 + 1; live > most {
			t.Fatalf("%d cells are left in the database, at most %d can be needed", live, most)
		}
	})
}
