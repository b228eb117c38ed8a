package task_test

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// bench is a task that reads some topics and notes what it took.
type bench struct {
	*task.Task
	t     *testing.T
	clock *clock.Manual
	took  []string // "topic:offset"
	sent  []task.Outgoing

	fail  func(*record.Record) error
	eager bool
	setup func(*task.Task)
}

func (b *bench) Send(o *task.Outgoing) error {
	b.sent = append(b.sent, *o)
	return nil
}

func (b *bench) start(policy func(*task.Failure) (task.Action, error), topics ...string) *bench {
	b.t.Helper()
	if policy == nil {
		policy = func(f *task.Failure) (task.Action, error) { return task.Fail, f }
	}
	graph := &topology.Graph{}
	plan := &task.Plan{Graph: graph}
	counts := topology.Counts{}
	for _, name := range topics {
		tp := graph.Topic(topology.Topic{Name: name})
		graph.Add(&topology.Node{Op: "Stream", Name: name, Kind: topology.Source, Topic: tp})
		counts[name] = 1
		plan.Make = append(plan.Make, func(tk *task.Task) {
			tk.OnSource(name, func(r *record.Record) error {
				if b.fail != nil {
					if err := b.fail(r); err != nil {
						return err
					}
				}
				b.took = append(b.took, fmt.Sprintf("%s:%d", name, r.Offset))
				return nil
			})
		})
	}
	if b.setup != nil {
		graph.Add(&topology.Node{Op: "Process", Kind: topology.Processor})
		plan.Make = append(plan.Make, b.setup)
	}
	sub := &topology.Subtopology{Nodes: graph.Nodes, Sources: graph.Nodes[:len(topics)]}
	b.clock = clock.NewManual(time.UnixMilli(0))
	var err error
	b.Task, err = task.New(task.Config{
		App: "app", Plan: plan, Sub: sub, Counts: counts, DB: store.NewMem(), Out: b, Eager: b.eager,
		Clock: b.clock, Logger: slog.New(slog.DiscardHandler), OnFailure: policy, DeadLetters: "dead",
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return b
}

// recs is records with these times, from an offset on.
func recs(from int64, times ...int64) []record.Record {
	var list []record.Record
	for i, ts := range times {
		list = append(list, record.Record{Offset: from + int64(i), Time: ts, LeaderEpoch: 7, Key: []byte("k"), Value: []byte("v")})
	}
	return list
}

func (b *bench) step() int {
	b.t.Helper()
	n, err := b.Step(100)
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func (b *bench) expect(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.took, want) {
		b.t.Errorf("took %v, want %v", b.took, want)
	}
	b.took = nil
}

func TestStep_LowestTimeFirst(t *testing.T) {
	b := (&bench{t: t}).start(nil, "a", "b")
	b.Add(0, recs(0, 10, 5, 30), 0)
	b.Add(1, recs(0, 10, 20), 0)
	b.Confirm(0, 0)
	b.Confirm(1, 0)
	b.step()
	// Equal times: the first input. A topic's own records keep their order.
	b.expect("a:0", "a:1", "b:0", "b:1", "a:2")
	if got := b.StreamTime(); got != 30 {
		t.Errorf("stream time is %d, want 30", got)
	}
}

// A record waits while another input is empty here but perhaps not on the
// broker: only an answer that is younger than the record lets it pass.
func TestStep_WaitsForConfirmation(t *testing.T) {
	b := (&bench{t: t}).start(nil, "a", "b")
	b.Add(0, recs(0, 10), 3)
	if n := b.step(); n != 0 || !b.Waiting() {
		t.Fatalf("took %d records, waiting: %t; want none, waiting", n, b.Waiting())
	}
	var asked []int
	b.Unconfirmed(func(i int) { asked = append(asked, i) })
	if !slices.Equal(asked, []int{1}) {
		t.Errorf("asks about inputs %v, want 1", asked)
	}
	b.Confirm(1, 2) // from before the record was fetched
	if n := b.step(); n != 0 {
		t.Fatalf("took %d records after an old confirmation", n)
	}
	b.Add(1, recs(0, 4), 4)
	if b.Waiting() {
		t.Error("waits though both inputs have records")
	}
	b.step() // b:0 first, then a:0 waits for b again
	b.expect("b:0")
	b.Confirm(1, 3)
	b.step()
	b.expect("a:0")
	b.Confirm(1, 1) // an answer that was overtaken takes nothing back
	b.Add(0, recs(1, 11), 3)
	b.step()
	b.expect("a:1")
}

func TestStep_Eager(t *testing.T) {
	b := (&bench{t: t, eager: true}).start(nil, "a", "b")
	b.Add(0, recs(0, 10), 3)
	b.step()
	b.expect("a:0")
}

func TestStep_Limit(t *testing.T) {
	b := (&bench{t: t}).start(nil, "a")
	b.Add(0, recs(0, 1, 2, 3), 0)
	if n, err := b.Step(2); n != 2 || err != nil {
		t.Fatalf("took %d, %v; want 2", n, err)
	}
	if got := b.Buffered(0); got != 1 {
		t.Errorf("%d records are left, want 1", got)
	}
	b.RequestCommit()
	if n := b.step(); n != 0 || !b.CommitRequested() {
		t.Errorf("took %d records though a commit is due", n)
	}
	if err := b.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := b.step(); n != 1 {
		t.Errorf("took %d records after the commit, want 1", n)
	}
}

func TestOffsets(t *testing.T) {
	b := (&bench{t: t}).start(nil, "a", "b")
	offsets := func() string {
		var s []string
		b.Offsets(func(tp record.TopicPartition, next int64, epoch int32) {
			s = append(s, fmt.Sprintf("%v=%d/%d", tp, next, epoch))
		})
		return strings.Join(s, " ")
	}
	if got := offsets(); got != "" {
		t.Errorf("offsets of a new task: %s", got)
	}
	b.Seek(1, 40)
	b.Add(0, recs(5, 1, 2), 0)
	b.Confirm(1, 0)
	if _, err := b.Step(1); err != nil {
		t.Fatal(err)
	}
	if got, want := offsets(), "a-0=6/7 b-0=40/-1"; got != want {
		t.Errorf("offsets are %s, want %s", got, want)
	}
	// A gap (a compacted topic, a transaction's marker) is passed over.
	b.Add(0, recs(100, 3), 0)
	b.step()
	if got, want := offsets(), "a-0=101/7 b-0=40/-1"; got != want {
		t.Errorf("offsets are %s, want %s", got, want)
	}
}

func TestStep_NegativeTimeIsDropped(t *testing.T) {
	b := (&bench{t: t}).start(nil, "a")
	b.Add(0, recs(0, -1, 3), 0)
	b.step()
	b.expect("a:1")
	var drops []string
	b.Stats().Drops.Each(func(d task.Drop, n int64) { drops = append(drops, fmt.Sprint(d.Operator, " ", d.Reason, " ", n)) })
	if !slices.Equal(drops, []string{"Source(a) negative-timestamp 1"}) {
		t.Errorf("dropped %v", drops)
	}
}

func TestStep_Actions(t *testing.T) {
	broken := errors.New("broken")
	for _, panics := range []bool{false, true} {
		for _, action := range []task.Action{task.Fail, task.Skip, task.DeadLetter} {
			b := &bench{t: t}
			b.fail = func(r *record.Record) error {
				if r.Offset != 1 {
					return nil
				}
				if panics {
					panic(broken)
				}
				return broken
			}
			b.start(func(f *task.Failure) (task.Action, error) { return action, f }, "a")
			b.Add(0, recs(0, 1, 2, 3), 0)
			n, err := b.Step(100)
			var f *task.Failure
			switch {
			case action == task.Fail && (n != 1 || !errors.As(err, &f) || f.Offset != 1 || f.Topic != "a" || f.Time != 2):
				t.Errorf("panics: %t: took %d, %v; want 1 and the failure", panics, n, err)
			case action != task.Fail && (n != 3 || err != nil):
				t.Errorf("panics: %t, action %d: took %d, %v; want 3", panics, action, n, err)
			}
			if want := action == task.DeadLetter; want != (len(b.sent) == 1 && b.sent[0].Topic == "dead") {
				t.Errorf("action %d: sent %v", action, b.sent)
			}
		}
	}
}

// What goes wrong between records, and what poisons the task, no policy can
// pass over.
func TestFlush_Final(t *testing.T) {
	var asked []*task.Failure
	b := (&bench{t: t}).start(func(f *task.Failure) (task.Action, error) {
		asked = append(asked, f)
		return task.Skip, nil
	}, "a")
	broken := errors.New("broken")
	b.Poison(broken)
	b.Poison(errors.New("another"))
	if err := b.Flush(); !errors.Is(err, broken) {
		t.Errorf("a poisoned task flushes with %v", err)
	}
	if len(asked) != 1 || !asked[0].Final {
		t.Errorf("asked %v, want once, with a final failure", asked)
	}
}

func TestPunctuate_StreamTime(t *testing.T) {
	var calls []int64
	b := &bench{t: t}
	b.setup = func(tk *task.Task) {
		tk.Schedule(10*time.Millisecond, false, func(now int64) error {
			calls = append(calls, now)
			return nil
		})
	}
	b.start(nil, "a")
	// The first call comes with the first record, a jump is one call, and the
	// times due stay on the grid.
	b.Add(0, recs(0, 3, 9, 12, 11, 55, 56, 61), 0)
	b.step()
	if want := []int64{3, 12, 55, 61}; !slices.Equal(calls, want) {
		t.Errorf("called at %v, want %v", calls, want)
	}
}

func TestPunctuate_WallClock(t *testing.T) {
	var calls []int64
	b := &bench{t: t}
	var p *task.Punctuation
	b.setup = func(tk *task.Task) {
		p = tk.Schedule(10*time.Millisecond, true, func(now int64) error {
			if calls = append(calls, now); len(calls) == 3 {
				p.Stop()
			}
			return nil
		})
	}
	b.start(nil, "a")
	for _, by := range []time.Duration{3, 6, 1, 35, 4, 6, 100} {
		b.clock.Advance(by * time.Millisecond)
		if err := b.Punctuate(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int64{10, 45, 55}; !slices.Equal(calls, want) {
		t.Errorf("called at %v, want %v", calls, want)
	}
	if at, ok := b.NextPunctuation(); ok {
		t.Errorf("a stopped punctuation is due at %v", at)
	}
}

func TestArena_KeepsWhatItGave(t *testing.T) {
	var a task.Arena
	var kept [][]byte
	var want []string
	for i := range 3000 {
		s := strings.Repeat(string(rune('a'+i%26)), i%200*3)
		if i == 1500 {
			s = strings.Repeat("z", 200_000) // larger than a piece
		}
		b := append(a.Free(), s...)
		if i%5 == 0 {
			continue // a try that comes to nothing
		}
		kept = append(kept, a.Take(b))
		want = append(want, s)
	}
	for i, b := range kept {
		if string(b) != want[i] || b == nil {
			t.Fatalf("piece %d is %.20q, want %.20q", i, b, want[i])
		}
	}
	// Appending to one must not reach the next.
	_ = append(kept[1], "overwritten"...)
	if string(kept[2]) != want[2] {
		t.Error("appending to a piece changed the one behind it")
	}
}
