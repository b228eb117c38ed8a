package cache_test

import (
	"testing"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"pgregory.net/rapid"
)

// A row takes the memory of the cells that it has, however many it had: a session
// that grows with each record is a new cell each time, and would have the task commit
// after every few records if those before it still counted.
func TestRows_CountWhatTheyHave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rows *cache.Rows[string, int64]
		out := &changelog{}
		keys := []string{"a", "b", "c"}
		tk := newTask(t, store.NewMem(), out, 64<<10, func(tk *task.Task) {
			rows = cache.OpenRows(tk, cache.RowSpec[string, int64]{
				Store: &topology.Store{Name: "s", Kind: topology.Session}, Label: "Count(s)",
				Key: serde.String, Value: serde.Int64, Retention: 1 << 40,
			})
		})
		pause := rapid.IntRange(1, 20).Draw(t, "records between commits")
		for i := range 3000 {
			row, err := rows.Row(keys[i%len(keys)])
			must(t, err)
			if len(row.Cells) > 0 {
				rows.Remove(row, 0, len(row.Cells))
			}
			rows.Put(row, int64(i), 0, int64(i))
			if tk.CommitRequested() {
				t.Fatalf("a commit is asked for with record %d", i)
			}
			if i%pause == 0 {
				commit(t, tk, out)
			}
		}
	})
}
