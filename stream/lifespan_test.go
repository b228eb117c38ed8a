package stream_test

import (
	"fmt"
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
)

func sec(n int64) time.Time { return time.Unix(n, 0) }

var (
	lifeIn      = topic.New("life-in", serde.String, serde.Int64)
	lifeOut     = topic.New("life-out", serde.String, serde.Int64)
	lifeExpired = topic.New("life-expired", serde.String, serde.Int64)
)

// told is what was written to a topic, with times in seconds: "a=1@10", "a=-@10" for a
// tombstone.
func told(d *streamtest.Driver, from topic.Topic[string, int64]) string {
	var all []string
	for _, r := range d.Records(from) {
		v := fmt.Sprint(r.Value)
		if r.NoValue {
			v = "-"
		}
		all = append(all, fmt.Sprintf("%s=%s@%d", r.Key, v, r.Time.Unix()))
	}
	return strings.Join(all, " ")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// A table's rows go when stream time has passed the end of their life: the table
// tells, the side output has them, and the changelog has tombstones.
func TestTTL_Table(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		store := state.New("latest", serde.String, serde.Int64, state.TTL(10*time.Second))
		d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
			b.Table(lifeIn, store).To(lifeOut)
			b.Expired(store).To(lifeExpired)
		}))
		send := func(k string, v int64, s int64) {
			if restarts {
				d.Restart()
			}
			d.SendAt(lifeIn, k, v, sec(s))
		}
		send("a", 1, 0)
		send("b", 2, 5)
		send("a", 3, 8) // lives anew
		send("c", 4, 14)
		expect(t, "nobody is dead at 14", told(d, lifeExpired), "")
		send("c", 5, 18) // b died at 15, a at 18
		expect(t, "expired at 18", told(d, lifeExpired), "b=2@15 a=3@18")
		expect(t, "the table", told(d, lifeOut), "a=1@0 b=2@5 a=3@8 c=4@14 c=5@18 b=-@15 a=-@18")
		send("a", 6, 19)
		if n, err := d.Store(store).Len(); n != 2 || err != nil {
			t.Errorf("%d rows, %v; want 2", n, err)
		}
		changelog := topic.New("app-latest-changelog", serde.String, serde.Int64)
		expect(t, "the changelog", told(d, changelog), "a=1@0 b=2@5 a=3@8 c=4@14 c=5@18 b=-@15 a=-@18 a=6@19")
		d.Restart()
		if _, ok, _ := d.Store(store).Get("b"); ok {
			t.Error("b has come back")
		}
	}
}

// What is dead is not seen even before it is dealt with: a row that a jump of time
// has killed begins anew in the record that brings the jump.
func TestTTL_AggregationBeginsAnew(t *testing.T) {
	counts := state.New("counts", serde.String, serde.Int64, state.TTL(10*time.Second))
	for _, update := range []bool{false, true} {
		d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
			g := b.Stream(lifeIn).GroupByKey()
			if update {
				g = g.EmitOnUpdate()
			}
			g.Count(counts).To(lifeOut)
			b.Expired(counts).To(lifeExpired)
		}))
		d.SendAt(lifeIn, "a", 0, sec(0))
		d.SendAt(lifeIn, "a", 0, sec(5))
		d.SendAt(lifeIn, "a", 0, sec(100))
		expect(t, "expired", told(d, lifeExpired), "a=2@15")
		want := "a=1@0 a=2@5 a=-@15 a=1@100"
		if !update {
			want = "a=1@0 a=2@5 a=1@100" // one change for the commit
		}
		expect(t, "counts", told(d, lifeOut), want)
	}
}

// By wall clock, the time of writing counts, whatever the timestamps, also after a
// restart.
func TestWallClockTTL(t *testing.T) {
	store := state.New("seen", serde.String, serde.Int64, state.WallClockTTL(time.Minute))
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lifeIn).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			seen := p.Store(store)
			return func(r stream.Record[string, int64]) error { return seen.Put(r.Key, r.Value) }
		}, store)
		b.Expired(store).To(lifeExpired)
	}))
	d.SendAt(lifeIn, "a", 1, sec(1_000_000))
	d.Advance(40 * time.Second)
	d.SendAt(lifeIn, "b", 2, sec(0))
	d.Restart()
	d.Advance(19 * time.Second)
	if n, _ := d.Store(store).Len(); n != 2 {
		t.Errorf("%d rows after 59 s, want 2", n)
	}
	d.Advance(time.Second)
	expect(t, "after 60 s", told(d, lifeExpired), fmt.Sprintf("a=1@%d", streamtest.Start.Unix()+60))
	d.Advance(time.Hour)
	expect(t, "an hour later", told(d, lifeExpired), fmt.Sprintf("b=2@%d", streamtest.Start.Unix()+100))
}

// However many rows die at once, all go, in order.
func TestTTL_Many(t *testing.T) {
	store := state.New("many", serde.String, serde.Int64, state.TTL(time.Second))
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Table(lifeIn, store)
		b.Expired(store).To(lifeExpired)
	}))
	const rows = 2500
	for i := range rows {
		d.SendAt(lifeIn, fmt.Sprintf("%04d", i), int64(i), sec(10))
	}
	d.SendAt(lifeIn, "last", 0, sec(20))
	gone := d.Records(lifeExpired)
	if len(gone) != rows {
		t.Fatalf("%d rows went, want %d", len(gone), rows)
	}
	if !slices.IsSortedFunc(gone, func(a, b streamtest.Record[string, int64]) int { return strings.Compare(a.Key, b.Key) }) {
		t.Error("they don't go in the order of their keys")
	}
	if n, err := d.Store(store).Len(); n != 1 || err != nil {
		t.Errorf("%d rows are left, %v; want 1", n, err)
	}
}

// Whatever is put, deleted and restarted, the store is as a map that forgets rows
// when they are ttl old, and every row goes exactly once, deleted, replaced or
// expired.
func TestTTL_Model(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const ttl = 20
		store := state.New("model", serde.String, serde.Int64, state.TTL(ttl*time.Second))
		d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
			b.Table(lifeIn, store)
			b.Expired(store).To(lifeExpired)
		}))
		type row struct{ v, at int64 }
		model := map[string]row{}
		now, serial := int64(0), int64(0)
		var gone []string
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			k := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "key")
			when := max(0, now+rapid.Int64Range(-25, 15).Draw(rt, "by"))
			now = max(now, when)
			// What is dead before the record is told of at the latest with it.
			for k, r := range model {
				if r.at+ttl <= now {
					gone = append(gone, fmt.Sprint(k, r.v))
					delete(model, k)
				}
			}
			serial++
			switch rapid.IntRange(0, 5).Draw(rt, "what") {
			case 0:
				d.SendRaw(lifeIn.Name(), []byte(k), nil, sec(when))
				delete(model, k)
			case 1:
				d.Restart()
				fallthrough
			default:
				d.SendAt(lifeIn, k, serial, sec(when))
				model[k] = row{serial, when}
				if when+ttl <= now { // dead on arrival
					gone = append(gone, fmt.Sprint(k, serial))
					delete(model, k)
				}
			}
			have := map[string]int64{}
			for k, v := range d.Store(store).All() {
				have[k] = v
			}
			for k, r := range model {
				if have[k] != r.v {
					rt.Fatalf("at %d: %s is %d, want %d", now, k, have[k], r.v)
				}
			}
			if len(have) != len(model) {
				rt.Fatalf("at %d: rows %v, want %v", now, have, model)
			}
		}
		var went []string
		for _, r := range d.Records(lifeExpired) {
			went = append(went, fmt.Sprint(r.Key, r.Value))
		}
		slices.Sort(went)
		slices.Sort(gone)
		if !slices.Equal(went, gone) {
			rt.Fatalf("went %v, want %v", went, gone)
		}
	})
}

// A bounded store deletes what was not used for the longest time, also after a
// restart.
func TestLRU(t *testing.T) {
	store := state.New("recent", serde.String, serde.Int64, state.LRU(3))
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lifeIn).Process(func(p *stream.Processor[string, int64]) func(stream.Record[string, int64]) error {
			recent := p.Store(store)
			return func(r stream.Record[string, int64]) error {
				if r.Value == 0 {
					_, _, err := recent.Get(r.Key)
					return err
				}
				return recent.Put(r.Key, r.Value)
			}
		}, store)
		b.Expired(store).To(lifeExpired)
	}))
	for i, k := range []string{"a", "b", "c"} {
		d.SendAt(lifeIn, k, 1, sec(int64(i)))
	}
	d.SendAt(lifeIn, "a", 0, sec(3)) // read
	d.SendAt(lifeIn, "d", 1, sec(4))
	expect(t, "makes room for d", told(d, lifeExpired), "b=1@1")
	d.Restart() // the order is that of the rows' times now: a, c, d
	d.SendAt(lifeIn, "e", 1, sec(5))
	expect(t, "makes room for e", told(d, lifeExpired), "a=1@0")
	d.Restart()
	var keys []string
	for k := range d.Store(store).All() {
		keys = append(keys, k)
	}
	expect(t, "rows", strings.Join(keys, " "), "c d e")
}

// A store in memory is restored from its changelog; an unlogged one is empty after a
// restart without its disk.
func TestStores_InMemoryAndUnlogged(t *testing.T) {
	memory := state.New("memory", serde.String, serde.Int64, state.InMemory())
	unlogged := state.New("unlogged", serde.String, serde.Int64, state.Unlogged())
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		s := b.Stream(lifeIn)
		s.ToTable(memory)
		s.ToTable(unlogged)
	}))
	d.Send(lifeIn, "a", 1)
	d.Send(lifeIn, "b", 2)
	d.Restart()
	d.Send(lifeIn, "b", 3)
	for k, want := range map[string]int64{"a": 1, "b": 3} {
		if v, _, err := d.Store(memory).Get(k); v != want || err != nil {
			t.Errorf("%s is %d in memory, %v; want %d", k, v, err, want)
		}
	}
	if _, ok, _ := d.Store(unlogged).Get("a"); ok {
		t.Error("a survived without a changelog")
	}
	if v, _, _ := d.Store(unlogged).Get("b"); v != 3 {
		t.Errorf("b is %d in the unlogged store, want 3", v)
	}
}
