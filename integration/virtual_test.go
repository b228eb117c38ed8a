package integration

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

var outAlive = topic.New("out-doubled", serde.String, serde.Int64)

// watch counts orders, and tells every minute of wall-clock time how many there
// were, by partition.
func watch() *stream.Topology {
	seen := state.New("seen", serde.String, serde.Int64)
	return stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			n := p.Store(seen)
			name := strconv.Itoa(int(p.Partition()))
			p.Punctuate(time.Minute, stream.WallClock, func(now time.Time) error {
				sum, _, err := n.Get(name)
				if err != nil {
					return err
				}
				return p.ForwardAt(name, sum, now)
			})
			return func(stream.Record[string, int64]) error {
				sum, _, err := n.Get(name)
				if err != nil {
					return err
				}
				return n.Put(name, sum+1)
			}
		}, seen).To(outAlive)
	})
}

// TestVirtualHour is an hour in the life of two instances: busy times and idle
// ones, timers that fire by the clock, an instance that is cut off until its
// session has timed out, and rebalances. It takes seconds.
func TestVirtualHour(t *testing.T) {
	if !virtual {
		t.Skip("takes an hour without virtual time: run with -tags synctests")
	}
	began, dirs := time.Now(), newFolders(t)
	bubble(t, func(t *testing.T) {
		w := newWorld(t, "", 2)
		w.topo = watch()
		defer w.end()
		start := time.Now()
		f := newTraffic(1, start)
		a := w.run("a", dirs.fresh(), often)
		b := w.run("b", dirs.fresh(), often)
		w.await("each has a task", both(a.runs(1), b.runs(1)))
		w.write(f.sales(100))
		pause(20*time.Minute - time.Since(start)) // idle but for the timers

		cut := time.Now()
		a.cable.cut()
		w.await("b has both tasks", b.runs(2))
		if took := time.Since(cut); took < 3*time.Second || took > 20*time.Second {
			t.Errorf("it took %v until b had the tasks of an instance whose session lasts 6 s", took)
		}
		w.write(f.sales(100))
		pause(40*time.Minute - time.Since(start))

		a.cable.mend()
		w.await("each has a task again", both(a.runs(1), b.runs(1)))
		w.write(f.sales(100))
		pause(time.Hour - time.Since(start))
		a.leave()
		b.leave()
		w.checkTimers(f, start)
	})
	t.Logf("an hour took %v", time.Since(began).Round(time.Millisecond))
}

// checkTimers looks at what the timers told: no gap longer than a rebalance
// costs, the sums never fall, and at the end they are those of the records.
func (w *world) checkTimers(f *traffic, start time.Time) {
	w.t.Helper()
	last, sums := map[string]time.Time{}, map[string]int64{}
	w.read(func(r *kgo.Record) {
		key := string(r.Key)
		n, err := serde.Int64.Decode(r.Value)
		if err != nil {
			w.t.Fatal(err)
		}
		before, ok := last[key]
		if !ok {
			before = start
		}
		if gap := r.Timestamp.Sub(before); gap > 2*time.Minute+30*time.Second {
			w.t.Errorf("partition %s: no timer for %v before %v", key, gap, r.Timestamp)
		}
		if n < sums[key] {
			w.t.Errorf("partition %s: the sum falls from %d to %d", key, sums[key], n)
		}
		last[key], sums[key] = r.Timestamp, n
	}, "out-doubled")
	total := int64(0)
	for p, n := range sums {
		total += n
		if gap := time.Since(last[p]); gap > 2*time.Minute {
			w.t.Errorf("partition %s: no timer in the last %v", p, gap)
		}
	}
	if want := int64(len(f.orders)); total != want {
		w.t.Errorf("%d orders were seen, not %d (%s)", total, want, fmt.Sprint(sums))
	}
}

func both(a, b func() string) func() string {
	return func() string {
		if s := a(); s != "" {
			return s
		}
		return b()
	}
}
