package stream_test

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
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// discard is an output that writes nothing.
type discard struct{ sent int64 }

func (d *discard) Send(*task.Outgoing) error {
	d.sent++
	return nil
}

var (
	benchIn   = topic.New("in", serde.Int64, serde.Int64)
	benchSide = topic.New("side", serde.Int64, serde.Int64)
	benchOut  = topic.New("out", serde.Int64, serde.Int64)
)

func benchStore(name string) state.Store[int64, int64] {
	return state.New(name, serde.Int64, serde.Int64)
}

// feed runs records of topic "in" through a topology of one sub-topology.
type feed struct {
	tb     testing.TB
	task   *task.Task
	out    discard
	inputs map[string]int
	keys   [][]byte
	sideOf int
	done   int
}

// newFeed has keys that repeat after the given number; times go on by a
// millisecond a record. One record in sideOf goes to topic "side", if that is
// not 0.
func newFeed(tb testing.TB, keys, sideOf int, build func(*stream.Builder)) *feed {
	tb.Helper()
	plan := stream.MustBuild(build).Plan()
	f := &feed{tb: tb, inputs: map[string]int{}, sideOf: sideOf}
	counts := topology.Counts{}
	for _, tp := range plan.Graph.Topics {
		counts[tp.Physical("app")] = 1
	}
	var err error
	f.task, err = task.New(task.Config{
		App: "app", Plan: plan, Sub: plan.Graph.Subtopologies()[0], Counts: counts, DB: store.NewMem(), Out: &f.out,
		Clock: clock.NewManual(time.UnixMilli(0)), Logger: slog.New(slog.DiscardHandler),
		CacheBytes: 256 << 20, OnFailure: stream.Policy(nil), Eager: true,
	})
	f.must(err)
	for i, tp := range f.task.Inputs() {
		f.inputs[tp.Topic] = i
	}
	for i := range keys {
		k, err := serde.Int64.Append(nil, int64(i))
		f.must(err)
		f.keys = append(f.keys, k)
	}
	return f
}

func (f *feed) must(err error) {
	f.tb.Helper()
	if err != nil {
		f.tb.Fatal(err)
	}
}

func (f *feed) commit() {
	f.tb.Helper()
	f.must(f.task.Flush())
	f.must(f.task.Persist(func(int) int64 { return f.out.sent }))
}

// run processes n records, in batches as a fetch brings them, with a commit
// after each 100 of those, and where the task asks for one.
func (f *feed) run(n int) {
	f.tb.Helper()
	const batch = 100
	recs, side := make([]record.Record, 0, batch), make([]record.Record, 0, batch)
	for end := f.done + n; f.done < end; {
		recs, side = recs[:0], side[:0]
		for range min(batch, end-f.done) {
			i := f.done
			r := record.Record{Time: int64(i), Offset: int64(i)}
			if f.sideOf > 0 && i%f.sideOf == 0 {
				r.Key = f.keys[i/f.sideOf*7919%len(f.keys)]
				r.Value = r.Key
				side = append(side, r)
			} else {
				r.Key = f.keys[(i*7919+i/len(f.keys))%len(f.keys)]
				r.Value = r.Key
				recs = append(recs, r)
			}
			f.done++
		}
		f.task.Add(f.inputs["in"], recs, 0)
		if f.sideOf > 0 {
			f.task.Add(f.inputs["side"], side, 0)
		}
		for left := len(recs) + len(side); left > 0; {
			n, err := f.task.Step(batch)
			f.must(err)
			left -= n
			if f.task.CommitRequested() {
				f.commit()
			}
		}
		if f.done%(100*batch) == 0 {
			f.commit()
		}
	}
}

// drive is a benchmark of b.N records, once all keys have been seen.
func drive(b *testing.B, keys, sideOf int, build func(*stream.Builder)) {
	b.Helper()
	f := newFeed(b, keys, sideOf, build)
	f.run(max(2*keys, sideOf*keys))
	b.ReportAllocs()
	b.ResetTimer()
	f.run(b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func chain(b *stream.Builder) {
	b.Stream(benchIn).
		Filter(func(k, v int64) bool { return v >= 0 }).
		MapValues(func(v int64) int64 { return v + 1 }).
		To(benchOut)
}

// BenchmarkChain is the price of stateless operators: none of them allocates.
func BenchmarkChain(b *testing.B) { drive(b, 1000, 0, chain) }

func BenchmarkCount(b *testing.B) {
	for _, keys := range []int{1000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			drive(b, keys, 0, func(b *stream.Builder) {
				b.Stream(benchIn).GroupByKey().Count(benchStore("counts")).To(benchOut)
			})
		})
	}
}

func BenchmarkWindowedCount(b *testing.B) {
	windows := map[string]window.Fixed{
		"tumbling": window.Tumbling(10 * time.Second),
		"hopping5": window.Hopping(10*time.Second, 2*time.Second),
	}
	for _, name := range []string{"tumbling", "hopping5"} {
		b.Run(name, func(b *testing.B) {
			drive(b, 1000, 0, func(b *stream.Builder) {
				b.Stream(benchIn).GroupByKey().WindowedBy(windows[name]).Count(benchStore("counts"))
			})
		})
	}
}

func BenchmarkSessions(b *testing.B) {
	drive(b, 1000, 0, func(b *stream.Builder) {
		b.Stream(benchIn).GroupByKey().SessionsBy(window.Session(500 * time.Millisecond)).Count(benchStore("counts"))
	})
}

func BenchmarkJoinTable(b *testing.B) {
	drive(b, 1000, 50, func(b *stream.Builder) {
		b.Stream(benchIn).
			JoinTable(b.Table(benchSide, benchStore("rows")), func(v, row int64) int64 { return v + row }).
			To(benchOut)
	})
}

func BenchmarkStreamJoin(b *testing.B) {
	drive(b, 1000, 2, func(b *stream.Builder) {
		b.Stream(benchIn).
			Join(b.Stream(benchSide), window.Within(2*time.Second),
				state.NewJoin("join", serde.Int64, serde.Int64, serde.Int64),
				func(l, r int64) int64 { return l + r }).
			To(benchOut)
	})
}

// The stateless operators, the encoding of the result and the way through the
// task cost no allocation for a record; pieces of the arena are shared by many.
func TestChain_DoesNotAllocate(t *testing.T) {
	f := newFeed(t, 1000, 0, chain)
	const records = 10_000
	if got := testing.AllocsPerRun(5, func() { f.run(records) }); got > records/100 {
		t.Errorf("%.0f allocations for %d records, want next to none", got, records)
	}
}
