package cache_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"pgregory.net/rapid"
)

// versions is the model of a versioned store: all that was ever put, by key and
// time.
type versions struct {
	history, latest int64
	forget          bool
	rows            map[string][]modelVersion
}

type modelVersion struct {
	from  int64
	value int64
	ok    bool
	cut   bool
}

func (m *versions) after(k string, at int64) int {
	i := slices.IndexFunc(m.rows[k], func(v modelVersion) bool { return v.from > at })
	if i < 0 {
		return len(m.rows[k])
	}
	return i
}

func (m *versions) asOf(k string, at int64) string {
	i := m.after(k, at)
	if at < m.latest-m.history && i < len(m.rows[k]) {
		return "none"
	}
	if i == 0 || !m.rows[k][i-1].ok {
		return "none"
	}
	return show(m.rows[k][i-1].value, m.rows[k][i-1].from, m.end(k, i))
}

func (m *versions) end(k string, i int) int64 {
	if i == len(m.rows[k]) {
		return cache.NoEnd
	}
	return m.rows[k][i].from
}

func (m *versions) put(k string, value int64, ok bool, at int64) string {
	if at < m.latest-m.history {
		return "not put"
	}
	m.latest = max(m.latest, at)
	i := m.after(k, at)
	end := m.end(k, i)
	row := m.rows[k]
	v := modelVersion{at, value, ok, !ok && end != cache.NoEnd}
	switch {
	case i == 0 || row[i-1].from != at:
		row = slices.Insert(row, i, v)
	case m.forget && !ok && end == cache.NoEnd && row[i-1].ok && (i == 1 || !row[i-2].ok && !row[i-2].cut):
		row = slices.Delete(row, i-1, i)
	default:
		row[i-1] = v
	}
	m.rows[k] = row
	return fmt.Sprint("until ", end)
}

func show(v, from, to int64) string { return fmt.Sprintf("%d in [%d, %d)", v, from, to) }

func showVersion(v cache.Version[int64]) string {
	if !v.OK {
		return "none"
	}
	return show(v.Value, v.From, v.To)
}

// A Versioned is a list of versions for each key, whatever its cache holds,
// whenever it is committed, and wherever it is opened again; and what nobody can
// ask for any more leaves the database and the changelog.
func TestVersioned_IsAListOfVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			db   = store.NewMem()
			out  = &changelog{}
			size = budget(t)
			vs   *cache.Versioned[string, int64]
			m    = versions{history: rapid.SampledFrom([]int64{0, 10, 200}).Draw(t, "history"), latest: -1, rows: map[string][]modelVersion{}}
		)
		m.forget = rapid.Bool().Draw(t, "forget")
		open := func(tk *task.Task) {
			vs = cache.OpenVersioned(tk, cache.VersionedSpec[string, int64]{
				Store: &topology.Store{Name: "s"}, Label: "Table(s)",
				Key: serde.String, Value: serde.Int64, History: m.history, Forget: m.forget,
			})
		}
		tk := newTask(t, db, out, size, open)
		key := rapid.SampledFrom([]string{"", "a", "b", "ba", "\x00", "\xff"})
		clock := int64(0)
		at := func(t *rapid.T) int64 {
			clock += rapid.Int64Range(0, 2).Draw(t, "later")
			return max(0, clock-rapid.SampledFrom([]int64{0, 0, 0, 1, 2, 5, 11, 30, 150}).Draw(t, "ago"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k, v, ok, ts := key.Draw(t, "key"), rapid.Int64Range(0, 99).Draw(t, "value"), rapid.IntRange(0, 3).Draw(t, "delete") > 0, at(t)
				before := m.asOf(k, ts)
				p, err := vs.Put(k, v, ok, ts)
				must(t, err)
				got := "not put"
				if p.Kept {
					got = fmt.Sprint("until ", p.To)
					if showVersion(p.Before) != before {
						t.Fatalf("%q at %d was %s, want %s", k, ts, showVersion(p.Before), before)
					}
				}
				if want := m.put(k, v, ok, ts); got != want {
					t.Fatalf("%q at %d was put: %s, want %s", k, ts, got, want)
				}
			},
			"as of": func(t *rapid.T) {
				k, ts := key.Draw(t, "key"), at(t)
				got, err := vs.AsOf(k, ts)
				must(t, err)
				if want := m.asOf(k, ts); showVersion(got) != want {
					t.Fatalf("%q as of %d is %s, want %s", k, ts, showVersion(got), want)
				}
			},
			"latest": func(t *rapid.T) {
				k := key.Draw(t, "key")
				got, err := vs.Latest(k)
				must(t, err)
				if want := m.asOf(k, cache.NoEnd); showVersion(got) != want {
					t.Fatalf("%q is %s, want %s", k, showVersion(got), want)
				}
			},
			"commit": func(t *rapid.T) { commit(t, tk, out) },
			"reopen": func(t *rapid.T) {
				commit(t, tk, out)
				committed := tk.Metadata()
				tk = newTask(t, db, out, size, open)
				tk.Recall(committed)
			},
			"restore": func(t *rapid.T) {
				commit(t, tk, out)
				committed := tk.Metadata()
				db = store.NewMem()
				tk = newTask(t, db, out, size, open)
				tk.Recall(committed)
				restore(t, tk, out)
			},
		})
		m.expectSwept(t, db, tk, out)
	})
}

// expectSwept commits until all that is dead has been found, and counts what is
// left.
func (m *versions) expectSwept(t *rapid.T, db store.DB, tk *task.Task, out *changelog) {
	for range 8 + len(out.recs)/64 {
		commit(t, tk, out)
	}
	live, perhaps := 0, 0
	for _, row := range m.rows {
		first := true // of those that live
		for i, v := range row {
			dead := i+1 < len(row) && row[i+1].from <= m.latest-m.history
			if void := first && !v.ok && !v.cut && v.from < m.latest-m.history; !dead && !void {
				live++
				if first && m.forget && !v.ok && v.from == m.latest-m.history {
					perhaps++ // forgotten, if what was before it had been swept
				}
				first = false
			}
		}
	}
	left := 0
	must(t, db.Scan(nil, nil, func(_, _ []byte) bool { left++; return true }))
	if left > live || left < live-perhaps {
		t.Fatalf("%d cells are left, want %d", left, live)
	}
	kept := map[string]bool{}
	for _, r := range out.recs {
		if delete(kept, string(r.Key)); r.Value != nil {
			kept[string(r.Key)] = true
		}
	}
	if len(kept) != left {
		t.Fatalf("%d cells are left in the changelog, %d in the database", len(kept), left)
	}
}

// What a changelog holds may be anything.
func FuzzVersioned_Restore(f *testing.F) {
	f.Add([]byte("\x00\x01a\x80\x00\x00\x00\x00\x00\x00\x05"), []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x07"))
	f.Add([]byte("\x00\x01a\x80\x00\x00\x00\x00\x00\x00\x05"), []byte("\x00"))
	f.Add([]byte("\x00\x01a"), []byte("\x01"))
	f.Add([]byte("\x00\x05a\x80\x00\x00\x00\x00\x00\x00\x05"), []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		rapid.Check(t, func(t *rapid.T) {
			out := &changelog{recs: []record.Record{{Key: key, Value: value, Time: 5}}}
			var vs *cache.Versioned[string, int64]
			tk := newTask(t, store.NewMem(), out, 1<<20, func(tk *task.Task) {
				vs = cache.OpenVersioned(tk, cache.VersionedSpec[string, int64]{
					Store: &topology.Store{Name: "s"}, Key: serde.String, Value: serde.Int64, History: 10,
				})
			})
			restore(t, tk, out)
			if v, err := vs.Latest("a"); err == nil && v.OK && v.From > v.To {
				t.Fatalf("version %+v", v)
			}
			commit(t, tk, out)
		})
	})
}
