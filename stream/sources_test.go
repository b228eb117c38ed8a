package stream_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

var (
	srcIn  = topic.New("in", serde.String, serde.Int64)
	srcOut = topic.New("out", serde.String, serde.Int64)
)

// byValue takes a record's time from its value; a negative one is no time.
func byValue(_ string, ms int64, _ topic.Stamp) time.Time { return time.UnixMilli(ms) }

// times is the timestamps of "out".
func times(d *streamtest.Driver) (ms []int64) {
	for _, r := range d.Records(srcOut) {
		ms = append(ms, r.Time.UnixMilli())
	}
	return ms
}

func TestTimestampedBy(t *testing.T) {
	for _, test := range []struct {
		name string
		opts []topic.Option
		want []int64
		drop int64
	}{
		{"valid only", nil, []int64{100, 50, 70}, 1},
		{"partition", []topic.Option{topic.PartitionTimes()}, []int64{100, 50, 100, 70}, 0},
		{"arrival", []topic.Option{topic.ArrivalTimes()}, slices.Repeat([]int64{streamtest.Start.UnixMilli()}, 5), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := topic.New("in", serde.String, serde.Int64, test.opts...).TimestampedBy(byValue)
			d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) { b.Stream(in).To(srcOut) }))
			d.SendAt(in, "k", -7, time.UnixMilli(1))
			d.SendAt(in, "k", 100, time.UnixMilli(1))
			d.SendAt(in, "k", 50, time.UnixMilli(2))
			d.Restart() // the partition's time is committed
			d.SendAt(in, "k", -1, time.UnixMilli(3))
			d.SendAt(in, "k", 70, time.UnixMilli(3))
			if got := times(d); !slices.Equal(got, test.want) {
				t.Errorf("times %v, want %v", got, test.want)
			}
			if n := d.Dropped("negative-timestamp"); n != test.drop { // since the restart
				t.Errorf("%d dropped, want %d", n, test.drop)
			}
		})
	}
}

func TestTimestampedBy_Failures(t *testing.T) {
	in := topic.New("in", serde.String, serde.Int64, topic.StrictTimes()).TimestampedBy(func(k string, ms int64, _ topic.Stamp) time.Time {
		if ms == 13 {
			panic("thirteen")
		}
		return time.UnixMilli(ms)
	})
	var failed []string
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) { b.Stream(in).To(srcOut) }),
		streamtest.OnError(func(e *stream.RecordError) stream.Action {
			failed = append(failed, fmt.Sprint(e.Offset, " ", e.Stage))
			return stream.DeadLetter
		}))
	for _, ms := range []int64{5, -1, 13, 6} {
		d.SendAt(in, "k", ms, time.UnixMilli(1))
	}
	d.SendRaw("in", []byte("k"), []byte("bad"), time.UnixMilli(1))
	if got := times(d); !slices.Equal(got, []int64{5, 6}) {
		t.Errorf("times %v", got)
	}
	if want := []string{"1 process", "2 process", "4 decode"}; !slices.Equal(failed, want) {
		t.Errorf("failed %v, want %v", failed, want)
	}
}

// A table's rows have the times of the declaration too, and two inputs are taken
// in their order.
func TestTimestampedBy_Order(t *testing.T) {
	left := topic.New("left", serde.String, serde.Int64).TimestampedBy(byValue)
	right := topic.New("right", serde.String, serde.Int64).TimestampedBy(byValue)
	plan := stream.MustBuild(func(b *stream.Builder) { b.Stream(left, right).To(srcOut) }).Plan()
	out := &sent{}
	tk, err := task.New(task.Config{
		App: "app", Plan: plan, Sub: plan.Graph.Subtopologies()[0], Counts: topology.Counts{"left": 1, "right": 1}, DB: store.NewMem(),
		Out: out, Clock: clock.System, OnFailure: stream.Policy(nil), Eager: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := func(ms, offset int64) record.Record {
		v, _ := serde.Int64.Append(nil, ms)
		return record.Record{Value: v, Time: 1000 - ms, Offset: offset}
	}
	tk.Add(0, []record.Record{rec(10, 0), rec(30, 1)}, 0)
	tk.Add(1, []record.Record{rec(20, 0), rec(40, 1)}, 0)
	if _, err := tk.Step(10); err != nil {
		t.Fatal(err)
	}
	if want := []int64{10, 20, 30, 40}; !slices.Equal(out.times, want) {
		t.Errorf("took them in the order %v, want %v", out.times, want)
	}
}

// sent notes what a task writes.
type sent struct {
	times      []int64
	partitions []int32
}

func (s *sent) Send(o *task.Outgoing) error {
	s.times = append(s.times, o.Time)
	s.partitions = append(s.partitions, o.Partition)
	return nil
}

func TestPartitionedBy(t *testing.T) {
	by := srcOut.PartitionedBy(func(_ string, v int64, n int) int { return int(v) % n })
	many := srcOut.SpreadBy(func(_ string, v int64, n int) []int { return []int{0, 1, 2}[:v%4] })
	beyond := srcOut.PartitionedBy(func(_ string, _ int64, n int) int { return n })
	for _, test := range []struct {
		name string
		out  topic.Topic[string, int64]
		want []int32
		drop int
	}{
		{"one", by, []int32{0, 1, 2, 3, 4, 0, -1}, 0},
		{"several", many, []int32{0, 0, 1, 0, 1, 2, 0}, 3},
		{"too large", beyond, nil, 7},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan := stream.MustBuild(func(b *stream.Builder) { b.Stream(srcIn).To(test.out) }).Plan()
			out := &sent{}
			tk, err := task.New(task.Config{
				App: "app", Plan: plan, Sub: plan.Graph.Subtopologies()[0], Counts: topology.Counts{"in": 1}, DB: store.NewMem(),
				Out: out, Clock: clock.System, Eager: true, Partitions: func(string) (int, error) { return 5, nil },
				OnFailure: func(*task.Failure) (task.Action, error) { return task.Skip, nil },
			})
			if err != nil {
				t.Fatal(err)
			}
			var recs []record.Record
			for i := range int64(7) {
				n := i
				if i == 6 && test.name == "one" {
					n = -1
				} else if i == 6 {
					n = 8
				}
				v, _ := serde.Int64.Append(nil, n)
				recs = append(recs, record.Record{Value: v, Offset: i})
			}
			tk.Add(0, recs, 0)
			if _, err := tk.Step(10); err != nil {
				t.Fatal(err)
			}
			dropped := 0
			tk.Stats().Drops.Each(func(_ task.Drop, n int64) { dropped += int(n) })
			if !slices.Equal(out.partitions, test.want) || dropped != test.drop {
				t.Errorf("partitions %v, %d dropped; want %v, %d", out.partitions, dropped, test.want, test.drop)
			}
		})
	}
}

func TestToTopics_BadNames(t *testing.T) {
	family := topic.Matching("out-.*", serde.String, serde.Int64)
	var failed []string
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(srcIn).ToTopics(family, func(k string, _ int64) string { return k })
	}), streamtest.OnError(func(e *stream.RecordError) stream.Action {
		failed = append(failed, e.Err.Error())
		return stream.Skip
	}))
	for _, k := range []string{"out-a", "in", "", "out-ä"} {
		d.Send(srcIn, k, 1)
	}
	if len(failed) != 3 || !strings.Contains(failed[0], "isn't one of out-.*") {
		t.Errorf("failed: %q", failed)
	}
	if n := len(d.Records(topic.New("out-a", serde.String, serde.Int64))); n != 1 {
		t.Errorf("%d records in out-a", n)
	}
}

func TestBranch(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		split := b.Stream(srcIn).Branch()
		rest := split.Otherwise("rest") // wherever it is called
		small := split.When("small", func(_ string, v int64) bool { return v < 10 })
		even := split.When("even", func(_ string, v int64) bool { return v%2 == 0 })
		small.MapValues(func(v int64) int64 { return v + 1000 }).Merge(even.MapValues(func(v int64) int64 { return v + 2000 }), rest).To(srcOut)
	}))
	for _, v := range []int64{4, 12, 13, 5} {
		d.Send(srcIn, "k", v)
	}
	var got []int64
	for _, v := range d.Read(srcOut) {
		got = append(got, v)
	}
	if want := []int64{1004, 2012, 13, 1005}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSources_Mistakes(t *testing.T) {
	logs := topic.Matching("log-.*", serde.String, serde.Int64)
	for _, test := range []struct {
		want  string
		build func(*stream.Builder)
	}{
		{"To needs one topic", func(b *stream.Builder) { b.Stream(srcIn).To(logs) }},
		{"Repartition needs one topic", func(b *stream.Builder) { b.Stream(srcIn).Repartition(logs) }},
		{"Table needs one topic", func(b *stream.Builder) { b.Table(logs, state.New("t", serde.String, serde.Int64)) }},
		{"GlobalTable needs one topic", func(b *stream.Builder) { b.GlobalTable(logs); b.Stream(srcIn) }},
		{"ToTopics needs a pattern", func(b *stream.Builder) {
			b.Stream(srcIn).ToTopics(srcOut, func(string, int64) string { return "" })
		}},
		{"is read at", func(b *stream.Builder) {
			b.Stream(logs).To(srcOut)
			b.Stream(topic.New("log-a", serde.String, serde.Int64))
		}},
		{"no regular expression", func(b *stream.Builder) { b.Stream(topic.Matching("log-(", serde.String, serde.Int64)) }},
		{"declared otherwise here", func(b *stream.Builder) {
			b.Stream(srcIn)
			b.Stream(topic.New("in", serde.String, serde.Int64, topic.FromLatest()))
		}},
		{"want more than 0", func(b *stream.Builder) { b.Stream(topic.New("in", serde.String, serde.Int64, topic.FromBack(0))) }},
		{"one of them can decide", func(b *stream.Builder) {
			b.Stream(srcIn).To(srcOut.PartitionedBy(func(string, int64, int) int { return 0 }).SpreadBy(func(string, int64, int) []int { return nil }))
		}},
		{"that name is taken", func(b *stream.Builder) {
			split := b.Stream(srcIn).Branch()
			split.When("x", nil)
			split.When("x", nil)
		}},
		{"have one already", func(b *stream.Builder) {
			split := b.Stream(srcIn).Branch()
			split.Otherwise("x")
			split.Otherwise("y")
		}},
		{"isn't a millisecond or more", func(b *stream.Builder) { b.Stream(srcIn).Dedup(state.NewSeen("seen", serde.String), 0) }},
		{"Dedup needs records partitioned by their key", func(b *stream.Builder) {
			b.Stream(srcIn).SelectKey(func(k string, _ int64) string { return k }).Dedup(state.NewSeen("seen", serde.String), time.Hour)
		}},
		{"must not be negative", func(b *stream.Builder) {
			b.Stream(srcIn).MapValuesAsync(stream.Async{InFlight: -1}, func(context.Context, string, int64) (int64, error) { return 0, nil })
		}},
	} {
		t.Run(test.want, func(t *testing.T) {
			_, err := stream.Build(test.build)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "_test.go:") {
				t.Errorf("Build said: %v", err)
			}
		})
	}
}
