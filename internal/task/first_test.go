package task_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// tableFirst is a task that reads "table" to its end before "stream".
func tableFirst(t *testing.T, eager bool) *bench {
	t.Helper()
	b := &bench{t: t}
	graph := &topology.Graph{}
	plan := &task.Plan{Graph: graph}
	counts := topology.Counts{}
	for _, name := range []string{"stream", "table"} {
		tp := graph.Topic(topology.Topic{Name: name})
		graph.Add(&topology.Node{Op: "Stream", Name: name, Kind: topology.Source, Topic: tp, First: name == "table"})
		counts[name] = 1
		plan.Make = append(plan.Make, func(tk *task.Task) {
			tk.OnSource(name, func(r *record.Record) error {
				b.took = append(b.took, fmt.Sprintf("%s:%d", name, r.Offset))
				return nil
			})
		})
	}
	var err error
	b.Task, err = task.New(task.Config{
		App: "app", Plan: plan, Sub: &topology.Subtopology{Nodes: graph.Nodes, Sources: graph.Nodes}, Counts: counts,
		DB: store.NewMem(), Out: b, Eager: eager, Clock: clock.NewManual(time.UnixMilli(0)), Logger: slog.New(slog.DiscardHandler),
		OnFailure: func(f *task.Failure) (task.Action, error) { return task.Fail, f },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFirst_TableBeforeEarlierRecords(t *testing.T) {
	b := tableFirst(t, false)
	b.Add(0, recs(0, 1, 2, 30), 1)
	if n := b.step(); n != 0 || !b.Waiting() {
		t.Fatalf("took %d of the stream before the table was read; waiting: %t", n, b.Waiting())
	}
	b.Add(1, recs(0, 10, 20), 1)
	b.step() // what is there of the table can be taken, whatever its end
	b.expect("table:0", "table:1")
	b.Bound(1, 4)
	if n := b.step(); n != 0 || !b.Waiting() {
		t.Fatalf("took %d records with the table's end ahead", n)
	}
	b.Bound(1, 9) // the end that counts is the first one
	b.Add(1, recs(2, 21, 22, 25, 40), 2)
	b.Confirm(0, 2)
	b.Confirm(1, 2)
	b.step()
	// From the end on records come by their times.
	b.expect("table:2", "table:3", "stream:0", "stream:1", "table:4", "stream:2", "table:5")
}

func TestFirst_EmptyTable(t *testing.T) {
	b := tableFirst(t, false)
	b.Add(0, recs(0, 1), 1)
	b.step()
	b.expect()
	b.Bound(1, 0)
	b.Confirm(1, 1)
	b.step()
	b.expect("stream:0")
}

// Offsets without a record (compacted, or a transaction's marker) at the end of a
// table don't hold the stream back.
func TestFirst_GapAtTheEnd(t *testing.T) {
	b := tableFirst(t, false)
	b.Add(0, recs(0, 1), 1)
	b.Add(1, recs(0, 10), 1)
	b.Bound(1, 3)
	b.step()
	b.expect("table:0")
	b.Confirm(1, 1) // the client is past the gap
	b.step()
	b.expect("stream:0")
}

func TestFirst_Eager(t *testing.T) {
	b := tableFirst(t, true)
	b.Add(0, recs(0, 1, 5), 1)
	b.Add(1, recs(0, 10, 20), 1)
	b.step()
	b.expect("table:0", "table:1", "stream:0", "stream:1")
}
