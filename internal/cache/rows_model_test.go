package cache_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"pgregory.net/rapid"
)

// at is a cell in the model of a row.
type at struct{ time, sub int64 }

type told struct {
	key string
	at
}

// Rows is a map from keys to cells in order of time, whatever its cache holds,
// whenever it is committed and wherever it is opened again. At each commit it
// tells which cells changed since the last.
func TestRows_AreSortedMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const retention = 50
		var (
			db     = store.NewMem()
			out    = &changelog{}
			size   = budget(t)
			rows   *cache.Rows[string, int64]
			model  = map[string]map[at]int64{}
			said   = map[told]int64{}
			latest = int64(-1)
		)
		open := func(tk *task.Task) {
			rows = cache.OpenRows(tk, cache.RowSpec[string, int64]{
				Store: &topology.Store{Name: "s", Kind: topology.Session}, Label: "Count(s)",
				Key: serde.String, Value: serde.Int64, Retention: retention,
				Changed: func(row *cache.Row[string, int64], c *cache.Cell[int64]) error {
					k := told{row.Key, at{c.Time, c.Sub}}
					if old, had := said[k]; had != c.HadOld || had && old != c.Old {
						return fmt.Errorf("%v was %d, %t; it is told as %d, %t", k, old, had, c.Old, c.HadOld)
					}
					if delete(said, k); c.OK {
						said[k] = c.Value
					}
					return nil
				},
			})
		}
		tk := newTask(t, db, out, size, open)
		// Keys of which one begins with another lie side by side in the database.
		key := rapid.SampledFrom([]string{"", "a", "a\x00", "b"})
		// check compares a row with its model, and forgets what has expired.
		check := func(t *rapid.T, k string) *cache.Row[string, int64] {
			row, err := rows.Row(k)
			must(t, err)
			var want []at
			for c := range model[k] {
				if c.time > latest-retention {
					want = append(want, c)
				}
			}
			slices.SortFunc(want, func(a, b at) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.sub, b.sub)) })
			var got []at
			for _, c := range row.Cells {
				if c.Time < rows.Oldest() {
					continue // it waits for the flush
				}
				got = append(got, at{c.Time, c.Sub})
				if v := model[k][at{c.Time, c.Sub}]; v != c.Value {
					t.Fatalf("%q at %d, %d is %d, want %d", k, c.Time, c.Sub, c.Value, v)
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%q has %v at %d, want %v", k, got, latest, want)
			}
			return row
		}
		put := func(t *rapid.T) {
			k := key.Draw(t, "key")
			row := check(t, k)
			c := at{latest + rapid.Int64Range(-30, 10).Draw(t, "time"), rapid.Int64Range(0, 2).Draw(t, "sub")}
			c.time = max(c.time, 0)
			v := rapid.Int64Range(0, 9).Draw(t, "value")
			rows.Put(row, c.time, c.sub, v)
			if model[k] == nil {
				model[k] = map[at]int64{}
			}
			model[k][c] = v
			latest = max(latest, c.time)
		}
		t.Repeat(map[string]func(*rapid.T){
			"put":       put,
			"put again": put,
			"remove": func(t *rapid.T) {
				k := key.Draw(t, "key")
				row := check(t, k)
				if len(row.Cells) == 0 {
					return
				}
				i := rapid.IntRange(0, len(row.Cells)-1).Draw(t, "from")
				j := rapid.IntRange(i+1, len(row.Cells)).Draw(t, "to")
				for _, c := range row.Cells[i:j] {
					delete(model[k], at{c.Time, c.Sub})
				}
				rows.Remove(row, i, j)
			},
			"read":   func(t *rapid.T) { check(t, key.Draw(t, "key")) },
			"commit": func(t *rapid.T) { commit(t, tk, out) },
			"reopen": func(t *rapid.T) {
				commit(t, tk, out)
				meta := tk.Metadata()
				tk = newTask(t, db, out, size, open)
				tk.Recall(meta)
			},
			"restore": func(t *rapid.T) {
				commit(t, tk, out)
				db = store.NewMem()
				meta := tk.Metadata()
				tk = newTask(t, db, out, size, open)
				tk.Recall(meta)
				restore(t, tk, out)
			},
		})
		for _, k := range []string{"", "a", "a\x00", "b"} {
			check(t, k)
		}
		if rows.Expired(latest-retention+1) || latest >= 0 && !rows.Expired(latest-retention) {
			t.Fatalf("the oldest cell that can be seen is at %d, want %d", rows.Oldest(), latest-retention+1)
		}
	})
}
