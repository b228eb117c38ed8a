package stream_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// A processor of values keeps the key, so what relies on keys may follow; in a
// punctuation it has none.
func TestProcessValues(t *testing.T) {
	var punctuated error
	counts := state.New("counts", serde.String, serde.Int64)
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lifeIn).ProcessValues(func(p *stream.ValueProcessor[string, int64]) func(stream.Record[string, int64]) error {
			p.Punctuate(time.Hour, stream.WallClock, func(time.Time) error {
				punctuated = p.Forward(1)
				return nil
			})
			return func(r stream.Record[string, int64]) error {
				return errors.Join(p.Forward(r.Value), p.ForwardAt(r.Value, r.Time.Add(time.Second)),
					p.ForwardWith(r.Value, r.Time, stream.Header{Key: "h", Value: []byte("1")}))
			}
		}).GroupByKey().EmitOnUpdate().Count(counts).To(lifeOut)
	}))
	d.SendAt(lifeIn, "a", 5, sec(1))
	expect(t, "counts", told(d, lifeOut), "a=1@1 a=2@2 a=3@2")
	d.Advance(time.Hour)
	if punctuated == nil {
		t.Error("a value without a key was forwarded")
	}
}

var (
	evens = stream.NewOutput[string, int64]("evens")
	texts = stream.NewOutput[int64, string]("texts")
)

func TestProcess_Outputs(t *testing.T) {
	build := func(open bool) *stream.Topology {
		return stream.MustBuild(func(b *stream.Builder) {
			main := b.Stream(lifeIn).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
				even := p.Output(evens)
				unread := p.Output(stream.NewOutput[string, int64]("nobody reads it"))
				var text *stream.Forwarder[int64, string]
				if open {
					text = p.Output(texts)
				}
				return func(r stream.Record[string, int64]) error {
					if r.Value%2 == 0 {
						return even.Forward(r.Key, r.Value)
					}
					r.Value++
					return errors.Join(p.ForwardRecord(r), text.Forward(r.Value, r.Key), unread.Forward(r.Key, 0))
				}
			})
			main.To(lifeOut)
			main.Output(evens).To(lifeExpired)
			main.Output(texts).To(topic.New("texts", serde.Int64, serde.String))
		})
	}
	d := streamtest.New(t, build(true))
	d.SendAt(lifeIn, "a", 1, sec(1))
	d.SendAt(lifeIn, "b", 2, sec(2))
	expect(t, "main", told(d, lifeOut), "a=2@1")
	expect(t, "evens", told(d, lifeExpired), "b=2@2")
	if r := d.Records(topic.New("texts", serde.Int64, serde.String)); len(r) != 1 || r[0].Key != 2 || r[0].Value != "a" {
		t.Errorf("texts: %v", r)
	}
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), `opens no output "texts"`) {
			t.Errorf("an output that isn't opened: %v", p)
		}
	}()
	streamtest.MustNew(build(false))
}

// Punctuations with a start come on its grid, and not for times that have passed.
func TestPunctuateFrom(t *testing.T) {
	var calls []int64
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lifeIn).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			note := func(now time.Time) error {
				calls = append(calls, now.Unix())
				return nil
			}
			p.PunctuateFrom(sec(20), 10*time.Second, stream.StreamTime, note)
			p.PunctuateFrom(streamtest.Start.Add(-25*time.Second), 10*time.Second, stream.WallClock, note)
			return func(stream.Record[string, int64]) error { return nil }
		})
	}))
	for _, s := range []int64{5, 19, 21, 29, 30, 55} {
		d.SendAt(lifeIn, "", 0, sec(s))
	}
	if want := []int64{21, 30, 55}; !slices.Equal(calls, want) {
		t.Errorf("by stream time at %v, want %v", calls, want)
	}
	calls = nil
	for range 4 {
		d.Advance(5 * time.Second)
	}
	start := streamtest.Start.Unix()
	if want := []int64{start + 5, start + 15}; !slices.Equal(calls, want) {
		t.Errorf("by wall clock at %v, want %v", calls, want)
	}
}

// Commit asks for a commit, and the processor goes on after it.
func TestProcessor_Commit(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lifeIn).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			return func(r stream.Record[string, int64]) error {
				p.Commit()
				return p.Forward(r.Key, r.Value)
			}
		}).To(lifeOut)
	}))
	d.SendAt(lifeIn, "a", 1, sec(1))
	d.SendAt(lifeIn, "b", 2, sec(2))
	expect(t, "both", told(d, lifeOut), "a=1@1 b=2@2")
}

// A processor reads the stores of windows and sessions, and can't write them.
func TestProcess_ReadsWindows(t *testing.T) {
	perMinute := state.New("per-minute", serde.String, serde.Int64)
	visits := state.New("visits", serde.String, serde.Int64)
	out := topic.New("read", serde.String, serde.String)
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		g := b.Stream(lifeIn).GroupByKey()
		g.WindowedBy(window.Tumbling(time.Minute).Grace(time.Hour)).Count(perMinute)
		g.SessionsBy(window.Session(10 * time.Second).Grace(time.Hour)).Count(visits)
		b.Stream(lifeIn).Process(func(p *stream.Processor[string, string]) func(stream.Record[string, int64]) error {
			w, s := p.Window(perMinute), p.Session(visits)
			return func(r stream.Record[string, int64]) error {
				var found []string
				for start, n := range w.Fetch(r.Key, sec(0), sec(1e6)) {
					found = append(found, fmt.Sprintf("%d:%d", start.Unix(), n))
				}
				for span, n := range s.Fetch(r.Key) {
					found = append(found, fmt.Sprintf("%d-%d:%d", span.StartMS/1000, span.EndMS/1000, n))
				}
				if err := w.Put(r.Key, 1, r.Time); err == nil {
					t.Error("the store of a windowed count was written to")
				}
				return p.Forward(r.Key, strings.Join(found, " "))
			}
		}, perMinute, visits).To(out)
	}))
	for _, s := range []int64{10, 12, 70, 5} {
		d.Restart()
		d.SendAt(lifeIn, "a", 0, sec(s))
	}
	var got []string
	for _, v := range d.Read(out) {
		got = append(got, v)
	}
	want := []string{"0:1 10-10:1", "0:2 10-12:2", "0:2 60:1 10-12:2 70-70:1", "0:3 60:1 5-12:3 70-70:1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// logged is a processor that does what model-based tests want of its stores.
func logged(stores []state.Declared, do func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error) *stream.Topology {
	return stream.MustBuild(func(b *stream.Builder) { b.Stream(lifeIn).Process(do, stores...) })
}

// A window store is as a map by key and start that forgets old starts.
func TestWindowStore_Model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const retention = 100_000
		all := rapid.Bool().Draw(rt, "keep all")
		store := state.NewWindow("windows", serde.String, serde.Int64, retention*time.Millisecond, time.Second)
		if all {
			store = store.KeepAll()
		}
		d := streamtest.New(t, logged([]state.Declared{store}, func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			w := p.Window(store)
			return func(r stream.Record[string, int64]) error {
				if r.Value < 0 {
					return w.Delete(r.Key, r.Time)
				}
				return w.Put(r.Key, r.Value, r.Time)
			}
		}))
		type cell struct {
			key   string
			start int64
		}
		model := map[cell][]int64{}
		newest := int64(-1)
		for i := range rapid.IntRange(1, 50).Draw(rt, "steps") {
			c := cell{rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(rt, "key"), rapid.Int64Range(0, 40).Draw(rt, "start") * 7_000}
			v := int64(i)
			if rapid.IntRange(0, 4).Draw(rt, "delete") == 0 {
				v = -1
			}
			d.SendAt(lifeIn, c.key, v, time.UnixMilli(c.start))
			switch {
			case v < 0 && !all:
				newest = max(newest, c.start)
				delete(model, c)
			case v >= 0 && all:
				newest = max(newest, c.start)
				model[c] = append(model[c], v)
			case v >= 0:
				newest = max(newest, c.start)
				model[c] = []int64{v}
			}
			if rapid.IntRange(0, 5).Draw(rt, "restart") == 0 {
				d.Restart()
			}
		}
		maps.DeleteFunc(model, func(c cell, _ []int64) bool { return c.start <= newest-retention })
		from, to := rapid.Int64Range(0, 40).Draw(rt, "from")*7_000, rapid.Int64Range(0, 40).Draw(rt, "to")*7_000
		var want, got, back []string
		for start := from; start <= to; start += 7_000 {
			for _, v := range model[cell{"a", start}] {
				want = append(want, fmt.Sprint(start, v))
			}
		}
		w := d.Window(store)
		for at, v := range w.Fetch("a", time.UnixMilli(from), time.UnixMilli(to)) {
			got = append(got, fmt.Sprint(at.UnixMilli(), v))
		}
		for at, v := range w.FetchBackward("a", time.UnixMilli(from), time.UnixMilli(to)) {
			back = append(back, fmt.Sprint(at.UnixMilli(), v))
		}
		slices.Reverse(back)
		if !slices.Equal(got, want) || !slices.Equal(back, want) {
			rt.Fatalf("fetched %v, backward %v, want %v", got, back, want)
		}
		n := 0
		for k, v := range w.All() {
			if n++; !slices.Contains(model[cell{k.Key, k.StartMS}], v) || k.EndMS != k.StartMS+1000 {
				rt.Fatalf("%v holds %d", k, v)
			}
		}
		for _, vs := range model {
			n -= len(vs)
		}
		if n != 0 {
			rt.Fatalf("%d windows too many", n)
		}
	})
}

// A session store finds what touches a time.
func TestSessionStore_Model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		store := state.NewSession("sessions", serde.String, serde.Int64, 100*time.Second)
		d := streamtest.New(t, logged([]state.Declared{store}, func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			s := p.Session(store)
			return func(r stream.Record[string, int64]) error {
				span := window.Between(r.Time, r.Time.Add(time.Duration(r.Value/1000)*time.Second))
				if r.Value%1000 == 0 {
					return s.Remove(r.Key, span)
				}
				return s.Put(r.Key, span, r.Value)
			}
		}))
		model := map[window.Key[string]]int64{}
		newest := int64(-1)
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := window.Key[string]{Key: rapid.SampledFrom([]string{"a", "ab"}).Draw(rt, "key")}
			k.StartMS = rapid.Int64Range(0, 150).Draw(rt, "start") * 1000
			long := rapid.Int64Range(0, 20).Draw(rt, "long")
			k.EndMS = k.StartMS + long*1000
			v := long*1000 + int64(i) + 1
			if rapid.IntRange(0, 4).Draw(rt, "remove") == 0 {
				v = long * 1000
				delete(model, k)
			} else {
				newest = max(newest, k.EndMS)
				model[k] = v
			}
			d.SendAt(lifeIn, k.Key, v, k.Start())
			if rapid.IntRange(0, 5).Draw(rt, "restart") == 0 {
				d.Restart()
			}
		}
		maps.DeleteFunc(model, func(k window.Key[string], _ int64) bool { return k.EndMS <= newest-100_000 })
		from, to := rapid.Int64Range(0, 170).Draw(rt, "from")*1000, rapid.Int64Range(0, 150).Draw(rt, "to")*1000
		s := d.Session(store)
		found := map[window.Key[string]]int64{}
		for span, v := range s.Find("a", time.UnixMilli(from), time.UnixMilli(to)) {
			found[window.Key[string]{Key: "a", Span: span}] = v
		}
		all := maps.Collect(s.All())
		if !maps.Equal(all, model) {
			rt.Fatalf("holds %v, want %v", all, model)
		}
		maps.DeleteFunc(model, func(k window.Key[string], _ int64) bool { return k.Key != "a" || k.EndMS < from || k.StartMS > to })
		if !maps.Equal(found, model) {
			rt.Fatalf("in %d to %d: found %v, want %v", from, to, found, model)
		}
	})
}
