package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

var (
	asyncIn  = topic.New("in", serde.String, serde.String)
	asyncOut = topic.New("out", serde.String, serde.String)
)

// asyncRun is a task of one partition, with a worker that does nothing but step.
type asyncRun struct {
	*task.Task
	wake chan struct{}
	got  []string // values written to "out"
	all  []task.Outgoing
}

func (r *asyncRun) Send(o *task.Outgoing) error {
	r.all = append(r.all, *o)
	if o.Topic == "out" {
		r.got = append(r.got, string(o.Value))
	}
	return nil
}

func runAsync(t *testing.T, onError func(*stream.RecordError) stream.Action, build func(*stream.Builder)) *asyncRun {
	t.Helper()
	plan := stream.MustBuild(build).Plan()
	r := &asyncRun{wake: make(chan struct{}, 1)}
	var err error
	r.Task, err = task.New(task.Config{
		App: "app", Plan: plan, Sub: plan.Graph.Subtopologies()[0], Counts: topology.Counts{"in": 1}, DB: store.NewMem(),
		Out: r, Clock: clock.System, CacheBytes: 1 << 20, OnFailure: stream.Policy(onError), DeadLetters: "dead", Eager: true,
		Wake: func() {
			select {
			case r.wake <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// feed queues records "0", "1", … with keys k0 to k9.
func (r *asyncRun) feed(n int) {
	recs := make([]record.Record, n)
	for i := range recs {
		recs[i] = record.Record{Key: fmt.Appendf(nil, "k%d", i%10), Value: fmt.Append(nil, i), Offset: int64(i), Time: int64(i), LeaderEpoch: -1}
	}
	r.Add(0, recs, 0)
}

// work steps until n results are there.
func (r *asyncRun) work(t *testing.T, n int) {
	t.Helper()
	for len(r.got) < n {
		if _, err := r.Step(1000); err != nil {
			t.Fatal(err)
		}
		if len(r.got) < n {
			<-r.wake
		}
	}
}

func (r *asyncRun) committed() (next int64) {
	r.Offsets(func(_ record.TopicPartition, n int64, _ int32) { next = n })
	return next
}

func sleeper(d time.Duration) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, _, v string) (string, error) {
		select {
		case <-time.After(d):
			return v, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func numbers(n int) []string {
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprint(i)
	}
	return want
}

// 10-ms calls for one partition: at least 50 times as fast as one after another.
func TestMapValuesAsync_ManyInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2000
		r := runAsync(t, nil, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{}, sleeper(10*time.Millisecond)).To(asyncOut)
		})
		r.feed(n)
		began := time.Now()
		r.work(t, n)
		if took, most := time.Since(began), n*10*time.Millisecond/50; took > most {
			t.Errorf("%d calls took %v, want at most %v", n, took, most)
		}
		if !slices.Equal(r.got, numbers(n)) {
			t.Error("the results are not in the order of the records")
		}
	})
}

func TestMapValuesAsync_InputOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runAsync(t, nil, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{InFlight: 4}, func(ctx context.Context, k, v string) (string, error) {
				return sleeper(time.Duration(97*len(v)*int(v[0])%50)*time.Millisecond)(ctx, k, v)
			}).To(asyncOut)
		})
		r.feed(200)
		r.work(t, 200)
		if !slices.Equal(r.got, numbers(200)) {
			t.Errorf("got %v", r.got)
		}
	})
}

func TestMapValuesAsync_KeyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runAsync(t, nil, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{Order: stream.KeyOrder}, func(ctx context.Context, k, v string) (string, error) {
				if v == "3" {
					return sleeper(time.Second)(ctx, k, v)
				}
				return sleeper(time.Millisecond)(ctx, k, v)
			}).To(asyncOut)
		})
		r.feed(40)
		r.work(t, 36) // all but those of key k3
		if slices.Contains(r.got, "13") {
			t.Error("a record has passed one of its own key")
		}
		if got := r.committed(); got != 3 {
			t.Errorf("offset to commit %d, want 3: that call has not returned", got)
		}
		r.work(t, 40)
		if !slices.Equal(r.got[36:], []string{"3", "13", "23", "33"}) {
			t.Errorf("got %v", r.got[36:])
		}
		if got := r.committed(); got != 40 {
			t.Errorf("offset to commit %d, want 40", got)
		}
	})
}

func TestMapValuesAsync_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int32
		r := runAsync(t, nil, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{InFlight: 7}, func(ctx context.Context, k, v string) (string, error) {
				if n := now.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer now.Add(-1)
				return sleeper(time.Millisecond)(ctx, k, v)
			}).To(asyncOut)
		})
		r.feed(100)
		if n, err := r.Step(1000); n != 7 || err != nil {
			t.Errorf("took %d records, %v; want 7: the others have to wait", n, err)
		}
		r.work(t, 100)
		if most.Load() != 7 {
			t.Errorf("%d calls at once, want 7", most.Load())
		}
	})
}

// A call that takes too long fails, even if it doesn't heed its context. The dead
// letter is the record it was for.
func TestMapValuesAsync_Timeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer close(stuck)
		var failed *stream.RecordError
		r := runAsync(t, func(e *stream.RecordError) stream.Action {
			failed = e
			return stream.DeadLetter
		}, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{Timeout: time.Second}, func(_ context.Context, _, v string) (string, error) {
				if v == "2" {
					<-stuck
				}
				return v, nil
			}).To(asyncOut)
		})
		r.feed(5)
		r.work(t, 4)
		if !slices.Equal(r.got, []string{"0", "1", "3", "4"}) {
			t.Errorf("got %v", r.got)
		}
		if failed == nil || failed.Offset != 2 || !errors.Is(failed, context.DeadlineExceeded) {
			t.Errorf("failed: %v", failed)
		}
		dead := r.all[slices.IndexFunc(r.all, func(o task.Outgoing) bool { return o.Topic == "dead" })]
		if string(dead.Key) != "k2" || string(dead.Value) != "2" {
			t.Errorf("the dead letter is %s=%s", dead.Key, dead.Value)
		}
	})
}

func TestMapValuesAsync_Retry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		r := runAsync(t, stream.Retries(3, stream.Fail), func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{}, func(_ context.Context, _, v string) (string, error) {
				if v == "1" && calls.Add(1) < 3 {
					panic("not yet")
				}
				return v, nil
			}).To(asyncOut)
		})
		r.feed(3)
		r.work(t, 3)
		if !slices.Equal(r.got, numbers(3)) || calls.Load() != 3 {
			t.Errorf("got %v after %d calls", r.got, calls.Load())
		}
	})
}

// A task with a store waits for its calls before it commits.
func TestMapValuesAsync_CommitSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := state.New("counts", serde.String, serde.Int64)
		totals := topic.New("out", serde.String, serde.Int64)
		r := runAsync(t, nil, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{}, sleeper(10*time.Millisecond)).GroupByKey().Count(counts).To(totals)
		})
		r.feed(20)
		if _, err := r.Step(1000); err != nil {
			t.Fatal(err)
		}
		if r.Hold() {
			t.Error("ready to commit with calls under way")
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
		if r.Unsettled() != 0 || r.committed() != 20 || len(r.got) != 10 {
			t.Errorf("%d unsettled, committed to %d, %d results", r.Unsettled(), r.committed(), len(r.got))
		}
	})
}

func TestMapValuesAsync_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runAsync(t, nil, func(b *stream.Builder) {
			b.Stream(asyncIn).MapValuesAsync(stream.Async{}, sleeper(time.Hour)).To(asyncOut)
		})
		r.feed(5)
		if _, err := r.Step(1000); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.committed() != 0 || len(r.got) != 0 {
			t.Errorf("committed to %d with results %v", r.committed(), r.got)
		}
	})
}

func TestMapValuesAsync_Driver(t *testing.T) {
	topo := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(asyncIn).FlatMapValues(strings.FieldsSeq).MapValuesAsync(stream.Async{InFlight: 2, Order: stream.KeyOrder}, func(_ context.Context, k, v string) (string, error) {
			if v == "bad" {
				return "", errors.New("no")
			}
			return k + "=" + v, nil
		}).To(asyncOut)
	})
	d := streamtest.New(t, topo, streamtest.OnError(func(*stream.RecordError) stream.Action { return stream.Skip }))
	d.Send(asyncIn, "a", "x y z bad w")
	var got []string
	for _, v := range d.Read(asyncOut) {
		got = append(got, v)
	}
	if want := []string{"a=x", "a=y", "a=z", "a=w"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := d.Dropped("failed"); n != 1 {
		t.Errorf("%d failed, want 1", n)
	}
}
