package stream_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
	"pgregory.net/rapid"
)

var (
	emitIn     = topic.New("in", serde.String, serde.Int64)
	emitOut    = topic.New("out", serde.String, serde.Int64)
	emitCounts = state.New("counts", serde.String, serde.Int64)
	emitKept   = state.New("kept", window.KeySerde(serde.String), serde.Int64)
)

// named turns a windowed table into a stream with keys like a[0,10].
func named(t table.Table[window.Key[string], int64]) {
	t.Apply(stream.FromTable).
		SelectKey(func(k window.Key[string], _ int64) string { return fmt.Sprintf("%s[%d,%d]", k.Key, k.StartMS, k.EndMS) }).
		To(emitOut)
}

// windowKind is a kind of windows to count in: as every update, and when they
// close.
type windowKind struct {
	name    string
	updates func(stream.Grouped[string, int64]) table.Table[window.Key[string], int64]
	finals  func(stream.Grouped[string, int64]) table.Table[window.Key[string], int64]
	window  table.Window
}

type grouped = stream.Grouped[string, int64]

func windowKinds() []windowKind {
	fixed := func(name string, w window.Fixed) windowKind {
		return windowKind{name,
			func(g grouped) table.Table[window.Key[string], int64] {
				return g.EmitOnUpdate().WindowedBy(w).Count(emitCounts)
			},
			func(g grouped) table.Table[window.Key[string], int64] {
				return g.WindowedBy(w).EmitOnClose().Count(emitCounts)
			}, w}
	}
	sessions := window.Session(8 * time.Millisecond).Grace(3 * time.Millisecond)
	slides := window.Sliding(9 * time.Millisecond).Grace(4 * time.Millisecond)
	return []windowKind{
		fixed("tumbling", window.Tumbling(10*time.Millisecond)),
		fixed("tumbling with grace", window.Tumbling(10*time.Millisecond).Grace(5*time.Millisecond)),
		fixed("hopping", window.Hopping(10*time.Millisecond, 4*time.Millisecond).Grace(2*time.Millisecond)),
		{"sessions",
			func(g grouped) table.Table[window.Key[string], int64] {
				return g.EmitOnUpdate().SessionsBy(sessions).Count(emitCounts)
			},
			func(g grouped) table.Table[window.Key[string], int64] {
				return g.SessionsBy(sessions).EmitOnClose().Count(emitCounts)
			}, sessions},
		{"sliding",
			func(g grouped) table.Table[window.Key[string], int64] {
				return g.EmitOnUpdate().SlidingBy(slides).Count(emitCounts)
			},
			func(g grouped) table.Table[window.Key[string], int64] {
				return g.SlidingBy(slides).EmitOnClose().Count(emitCounts)
			}, slides},
	}
}

// timed is a record of the test's input.
type timed struct {
	key     string
	ts      int64
	restart bool // before it
}

func drawTimed(t *rapid.T) []timed {
	at := int64(0)
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) timed {
		at += rapid.SampledFrom([]int64{0, 0, 1, 2, 3, 5, 9, 30, 500}).Draw(t, "ahead")
		return timed{
			key: rapid.SampledFrom([]string{"a", "b", "ab"}).Draw(t, "key"),
			ts:  max(0, at-rapid.SampledFrom([]int64{0, 0, 0, 1, 4, 12, 40}).Draw(t, "behind")), restart: rapid.IntRange(0, 5).Draw(t, "restart") == 0,
		}
	}), 1, 40).Draw(t, "records")
}

// feedTimed sends records and returns what came out after each, sorted.
func feedTimed(d *streamtest.Driver, recs []timed) [][]string {
	var steps [][]string
	for _, r := range recs {
		if r.restart {
			d.Restart()
		}
		d.SendAt(emitIn, r.key, 1, time.UnixMilli(r.ts))
		var step []string
		for _, o := range d.Records(emitOut) {
			step = append(step, fmt.Sprintf("%s=%d at %d", o.Key, o.Value, o.Time.UnixMilli()))
		}
		steps = append(steps, step)
	}
	return steps
}

// Every window is told of exactly once, with its last update, however time jumps
// and wherever the tasks restart: what has closed by the end of the records.
func TestEmitOnClose_EveryWindowOnce(t *testing.T) {
	for _, kind := range windowKinds() {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				recs := drawTimed(t)
				// Another key brings all windows to an end.
				recs = append(recs, timed{key: "end", ts: 1 << 30})
				run := func(build func(grouped) table.Table[window.Key[string], int64]) (got []string) {
					topo := stream.MustBuild(func(b *stream.Builder) { named(build(b.Stream(emitIn).GroupByKey())) })
					for _, step := range feedTimed(streamtest.MustNew(topo), recs) {
						got = append(got, step...)
					}
					return got
				}
				last := map[string]string{}
				for _, u := range run(kind.updates) {
					k, _, _ := strings.Cut(u, "=")
					last[k] = u
				}
				if kind.name == "sessions" {
					last = finalSessions(recs, 8, 3)
				}
				var want []string
				for k, u := range last {
					if !strings.HasPrefix(k, "end") {
						want = append(want, u)
					}
				}
				got := run(kind.finals)
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Fatalf("told of\n%q, want\n%q", got, want)
				}
			})
		})
	}
}

// finalSessions is what a count of sessions has to tell of, from first principles: a
// record joins the sessions within the gap that can still change; one that has
// closed stays as it was told of.
func finalSessions(recs []timed, gap, grace int64) map[string]string {
	type session struct {
		key               string
		start, end, count int64
	}
	var all []session
	now := int64(0)
	for _, r := range recs {
		now = max(now, r.ts)
		s := session{r.key, r.ts, r.ts, 1}
		kept := all[:0:0]
		for _, o := range all {
			if o.key == s.key && o.end+gap+grace >= now && o.start <= s.end+gap && s.start <= o.end+gap {
				s = session{s.key, min(s.start, o.start), max(s.end, o.end), s.count + o.count}
			} else {
				kept = append(kept, o)
			}
		}
		if s.end+gap+grace >= now {
			all = append(kept, s)
		}
	}
	told := map[string]string{}
	for _, s := range all {
		name := fmt.Sprintf("%s[%d,%d]", s.key, s.start, s.end)
		told[name] = fmt.Sprintf("%s=%d at %d", name, s.count, s.end)
	}
	return told
}

// To suppress every update until the window closes is the same as to emit on
// close.
func TestSuppress_IsEmitOnClose(t *testing.T) {
	for _, kind := range windowKinds() {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				recs := drawTimed(t)
				finals := feedTimed(streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
					named(kind.finals(b.Stream(emitIn).GroupByKey()))
				})), recs)
				suppressed := feedTimed(streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
					named(kind.updates(b.Stream(emitIn).GroupByKey()).Suppress(emitKept, table.UntilWindowCloses(kind.window)))
				})), recs)
				for i := range finals {
					slices.Sort(finals[i])
					slices.Sort(suppressed[i])
					if !slices.Equal(finals[i], suppressed[i]) {
						t.Fatalf("record %d: on close %q, suppressed %q", i, finals[i], suppressed[i])
					}
				}
			})
		})
	}
}

// When time jumps over the store's retention, Kafka Streams loses what it hasn't
// told of yet, unless a cache has kept it.
func TestEmitOnClose_Jump(t *testing.T) {
	uncached := false
	build := func(b *stream.Builder) {
		g := b.Stream(emitIn).GroupByKey()
		if uncached {
			g = g.EmitOnUpdate()
		}
		named(g.WindowedBy(window.Tumbling(time.Minute).Grace(10 * time.Second)).EmitOnClose().Count(emitCounts))
	}
	run := func(topo *stream.Topology) (got []string) {
		d := streamtest.New(t, topo)
		for _, s := range []int64{1, 30, 3601, 3700, 3800} {
			d.SendAt(emitIn, "a", 1, time.Unix(s, 0))
		}
		for k, n := range d.Read(emitOut) {
			got = append(got, fmt.Sprint(k, "=", n))
		}
		return got
	}
	all := []string{"a[0,60000]=2", "a[3600000,3660000]=1", "a[3660000,3720000]=1"}
	if got := run(stream.MustBuild(build)); !slices.Equal(got, all) {
		t.Errorf("leat tells of %q", got)
	}
	if got := run(stream.MustBuild(build, stream.LikeKafka())); !slices.Equal(got, all) {
		t.Errorf("like Kafka Streams with a cache it tells of %q", got)
	}
	uncached = true
	if got := run(stream.MustBuild(build, stream.LikeKafka())); !slices.Equal(got, []string{"a[3600000,3660000]=1"}) {
		t.Errorf("like Kafka Streams it tells of %q", got)
	}
}

// Windows that close together come in order of their starts and keys, before the
// results of the record that closed them, with its headers.
func TestEmitOnClose_Order(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		named(b.Stream(emitIn).GroupByKey().WindowedBy(window.Hopping(10*time.Millisecond, 5*time.Millisecond)).EmitOnClose().Count(emitCounts))
	}))
	for _, k := range []string{"b", "a", "ab"} {
		d.SendAt(emitIn, k, 1, time.UnixMilli(7))
	}
	one, err := serde.Int64.Append(nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	d.SendRaw("in", []byte("c"), one, time.UnixMilli(99), stream.Header{Key: "h", Value: []byte("x")})
	var got []string
	for _, r := range d.Records(emitOut) {
		got = append(got, r.Key)
		if len(r.Headers) != 1 || string(r.Headers[0].Value) != "x" {
			t.Errorf("%s has headers %v", r.Key, r.Headers)
		}
	}
	want := []string{"a[0,10]", "ab[0,10]", "b[0,10]", "a[5,15]", "ab[5,15]", "b[5,15]"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// With an interval a row is told of once in it, and nothing is lost, wherever the
// tasks restart.
func TestEmitEvery(t *testing.T) {
	const every = 10 * time.Millisecond
	rapid.Check(t, func(t *rapid.T) {
		d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
			b.Stream(emitIn).GroupByKey().EmitEvery(every).Count(emitCounts).To(emitOut)
		}))
		counts, told := map[string]int64{}, map[string]int64{}
		changed := []string{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			default:
				k := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
				d.Send(emitIn, k, 1)
				counts[k]++
				if !slices.Contains(changed, k) {
					changed = append(changed, k)
				}
				if recs := d.Records(emitOut); len(recs) > 0 {
					t.Fatalf("%v was told of before its time", recs)
				}
			case 1:
				d.Advance(every)
				var keys []string
				for _, r := range d.Records(emitOut) {
					keys = append(keys, r.Key)
					told[r.Key] = r.Value
				}
				if !slices.Equal(keys, changed) {
					t.Fatalf("told of %q, want %q", keys, changed)
				}
				if fmt.Sprint(told) != fmt.Sprint(counts) {
					t.Fatalf("told %v, want %v", told, counts)
				}
				changed = changed[:0]
			case 0:
				d.Restart()
			}
		}
	})
}

// Windows that are over their retention before the interval ends are told of too.
func TestEmitEvery_Windows(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		named(b.Stream(emitIn).GroupByKey().EmitEvery(time.Second).WindowedBy(window.Tumbling(time.Minute)).Count(emitCounts))
	}))
	for day := range int64(3) {
		d.SendAt(emitIn, "a", 1, time.Unix(day*86400, 0))
		d.SendAt(emitIn, "a", 1, time.Unix(day*86400+1, 0))
	}
	d.Restart()
	d.Advance(time.Second)
	var got []int64
	for _, n := range d.Read(emitOut) {
		got = append(got, n)
	}
	if !slices.Equal(got, []int64{2, 2, 2}) {
		t.Errorf("got %v", got)
	}
}

func TestEmit_BuildErrors(t *testing.T) {
	for want, build := range map[string]func(*stream.Builder){
		"never closes": func(b *stream.Builder) {
			b.Stream(emitIn).GroupByKey().WindowedBy(window.Unlimited(time.UnixMilli(0))).EmitOnClose().Count(emitCounts)
		},
		"EmitEvery needs an interval": func(b *stream.Builder) {
			b.Stream(emitIn).GroupByKey().EmitEvery(0).Count(emitCounts)
		},
	} {
		if _, err := stream.Build(build); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "emit_test.go:") {
			t.Errorf("want %q and the place, got %v", want, err)
		}
	}
}
