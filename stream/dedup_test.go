package stream_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"pgregory.net/rapid"
)

var (
	dedupIn   = topic.New("in", serde.String, serde.String)
	dedupOut  = topic.New("out", serde.String, serde.String)
	dedupSeen = state.NewSeen("seen", serde.String)
)

func dedupMS(ms int64) time.Time { return time.UnixMilli(ms) }

func TestDedup(t *testing.T) {
	d := streamtest.New(t, stream.MustBuild(func(b *stream.Builder) {
		b.Stream(dedupIn).Dedup(dedupSeen, 10*time.Millisecond).To(dedupOut)
	}))
	for _, r := range []struct {
		key string
		ms  int64
	}{
		{"a", 5}, {"a", 14}, {"b", 14}, {"a", 15}, {"a", 6}, // 6: within 10 ms of 15, and of 5
		{"a", 5},                                             // late: 15-10
		{"", 15}, {"a", 24}, {"a", 25}, {"b", 40}, {"b", 31}, // 31 is within 10 of 40
	} {
		d.SendAt(dedupIn, r.key, fmt.Sprint(r.ms), dedupMS(r.ms))
	}
	var got []string
	for k, v := range d.Read(dedupOut) {
		got = append(got, k+v)
	}
	if want := []string{"a5", "b14", "a15", "15", "a25", "b40"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := d.Dropped("duplicate"); n != 4 {
		t.Errorf("%d duplicates, want 4", n)
	}
	if n := d.Dropped("late"); n != 1 {
		t.Errorf("%d late, want 1", n)
	}
}

// What passes is what a list of all that has passed says, with restarts anywhere.
func TestDedupBy_AsAModelSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		within := rapid.Int64Range(1, 20).Draw(t, "within")
		e := newEngine(t, 1<<20, func(b *stream.Builder) {
			b.Stream(dedupIn).DedupBy(dedupSeen, time.Duration(within)*time.Millisecond, func(_, v string) string { return v }).To(dedupOut)
		})
		passed := map[string][]int64{}
		var want []string
		var now int64
		for range rapid.IntRange(1, 120).Draw(t, "records") {
			id := rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "id")
			at := max(0, now+rapid.Int64Range(-30, 15).Draw(t, "step"))
			now = max(now, at)
			near := func(p int64) bool { return p-at < within && at-p < within }
			if at > now-within && !slices.ContainsFunc(passed[id], near) {
				passed[id] = append(passed[id], at)
				want = append(want, fmt.Sprintf("%q %q @%d", "k", id, at))
			}
			e.send("in", "k", []byte(id), at)
			switch rapid.IntRange(0, 9).Draw(t, "then") {
			case 0:
				e.commit()
			case 1:
				e.restart(rapid.Bool().Draw(t, "empty"))
			}
		}
		if got := e.lines("out"); !slices.Equal(got, want) {
			t.Fatalf("passed:\n%v\nwant:\n%v", got, want)
		}
	})
}

// A crash after the changelog was written and before the offsets were: all is
// processed again, and what has passed must pass again, as its results may be lost.
func TestDedup_Replay(t *testing.T) {
	e := newEngine(t, 1<<20, func(b *stream.Builder) {
		b.Stream(dedupIn).FlatMapValues(twice).Dedup(dedupSeen, 10*time.Millisecond).To(dedupOut)
	})
	for ms := range int64(40) {
		e.send("in", string(rune('a'+ms%3)), []byte("v"), ms)
	}
	for _, task := range e.tasks {
		e.must(task.Flush())
	}
	before := slices.Clone(e.lines("out"))
	logged := slices.Clone(e.topics["app-seen-changelog"])
	if len(before) != 12 || len(logged) == 0 {
		t.Fatalf("%d passed and %d are in the changelog", len(before), len(logged))
	}
	// Nothing was committed: no offsets, and no times with them.
	e.tasks, e.topics["out"] = nil, nil
	e.start(nil)
	task := e.tasks[0]
	e.must(task.Restore(0, logged))
	e.must(task.Restored(0, int64(len(logged))))
	e.run()
	if got := e.lines("out"); !slices.Equal(got, before) {
		t.Errorf("the second time %v passed, want %v", got, before)
	}
}

func twice(v string) iter.Seq[string] { return slices.Values([]string{v, v}) }

func TestDedup_Expires(t *testing.T) {
	e := newEngine(t, 1<<20, func(b *stream.Builder) {
		b.Stream(dedupIn).Dedup(dedupSeen, 10*time.Minute).To(dedupOut)
	})
	const minute = 60_000
	for i := range int64(300) {
		e.send("in", fmt.Sprint("k", i), []byte("v"), i*minute)
		e.commit()
	}
	if n := len(e.rows("app-seen-changelog")); n > 60 {
		t.Errorf("%d rows are left of 300, of which 30 may be needed", n)
	}
}
