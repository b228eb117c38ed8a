package stream_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// A window closes without a further record, when its topic has been silent for as
// long as it takes.
func TestIdleAfter(t *testing.T) {
	quiet := topic.New("quiet", serde.String, serde.String, topic.IdleAfter(10*time.Second))
	other := topic.New("other", serde.String, serde.String, topic.IdleAfter(10*time.Second))
	strict := topic.New("strict", serde.String, serde.String)
	names := topic.New("names", serde.String, serde.String)
	minute := window.Tumbling(time.Minute)
	key := func(k window.Key[string], n int64) string { return fmt.Sprint(k.Key, n) }

	cases := []struct {
		name  string
		build func(b *stream.Builder)
		want  []string // results after the silence, beside none before
	}{
		{"emit on close", func(b *stream.Builder) {
			b.Stream(quiet).GroupByKey().WindowedBy(minute).EmitOnClose().Count(visits).
				Apply(stream.FromTable).SelectKey(key).MapValues(func(int64) string { return "" }).To(names)
		}, []string{"a1"}},
		{"sessions", func(b *stream.Builder) {
			b.Stream(quiet).GroupByKey().SessionsBy(window.Session(time.Minute)).EmitOnClose().Count(visits).
				Apply(stream.FromTable).SelectKey(key).MapValues(func(int64) string { return "" }).To(names)
		}, []string{"a1"}},
		{"sliding", func(b *stream.Builder) {
			b.Stream(quiet).GroupByKey().SlidingBy(window.Sliding(time.Minute)).EmitOnClose().Count(visits).
				Apply(stream.FromTable).SelectKey(key).MapValues(func(int64) string { return "" }).To(names)
		}, []string{"a1"}},
		{"suppress", func(b *stream.Builder) {
			b.Stream(quiet).GroupByKey().Count(visits).
				Suppress(state.New("held", serde.String, serde.Int64), table.UntilTimeLimit(time.Minute)).
				Apply(stream.FromTable).MapValues(func(int64) string { return "" }).To(names)
		}, []string{"a"}},
		{"left join", func(b *stream.Builder) {
			b.Stream(quiet).LeftJoin(b.Stream(other), window.Within(time.Minute), state.NewJoin("joined", serde.String, serde.String, serde.String),
				func(v, _ string, _ bool) string { return v }).To(names)
		}, []string{"a"}},
		{"one source may not be passed", func(b *stream.Builder) {
			b.Stream(quiet).Merge(b.Stream(strict)).GroupByKey().WindowedBy(minute).EmitOnClose().Count(visits).
				Apply(stream.FromTable).SelectKey(key).MapValues(func(int64) string { return "" }).To(names)
		}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := streamtest.New(t, build(t, c.build))
			d.SendAt(quiet, "a", "v", time.UnixMilli(0))
			d.Advance(5 * time.Second)
			if got := d.Records(names); len(got) > 0 {
				t.Errorf("early results: %v", got)
			}
			d.Advance(3 * time.Minute)
			var got []string
			for _, r := range d.Records(names) {
				got = append(got, r.Key)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("results %v, want %v", got, c.want)
			}
		})
	}
}

// Time that has gone on in silence stays where it is over a restart, and what
// comes too late is told.
func TestIdleAfter_Late(t *testing.T) {
	quiet := topic.New("quiet", serde.String, serde.String, topic.IdleAfter(10*time.Second))
	d := streamtest.New(t, build(t, func(b *stream.Builder) {
		b.Stream(quiet).GroupByKey().WindowedBy(window.Tumbling(time.Minute)).Count(visits)
	}))
	d.SendAt(quiet, "a", "v", time.UnixMilli(0))
	d.Advance(3 * time.Minute)
	d.Restart()
	d.SendAt(quiet, "a", "v", time.UnixMilli(1000))
	if n := d.Dropped("late"); n != 1 {
		t.Errorf("%d late records, want 1", n)
	}
}
