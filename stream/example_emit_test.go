package stream_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

var (
	calls     = topic.New("calls", serde.String, serde.Int64) // number, seconds
	callStats = state.New("call-stats", serde.String, serde.Int64)
)

// second is a time of the examples.
func second(s int64) time.Time { return time.Unix(s, 0) }

// ended prints what a window held when it was closed.
func ended(k window.Key[string], n int64) {
	fmt.Printf("%s %s to %s: %d\n", k.Key, k.Start().Format("15:04:05"), k.End().Format("15:04:05"), n)
}

// Each window is told of once, when it can't change any more.
func ExampleWindowed_EmitOnClose() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(calls).
			GroupByKey().
			WindowedBy(window.Tumbling(time.Minute).Grace(10 * time.Second)).
			EmitOnClose().
			Count(callStats).
			Apply(stream.FromTable).
			Foreach(ended)
	}))
	d.SendAt(calls, "112", 30, second(5))
	d.SendAt(calls, "112", 20, second(65)) // stream time 1:05: the first minute may still change
	d.SendAt(calls, "112", 40, second(59))
	d.SendAt(calls, "911", 10, second(3600)) // now both are closed
	// Output:
	// 112 00:00:00 to 00:01:00: 2
	// 112 00:01:00 to 00:02:00: 1
}

func ExampleSessioned_EmitOnClose() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(calls).
			GroupByKey().
			SessionsBy(window.Session(time.Minute)).
			EmitOnClose().
			Count(callStats).
			Apply(stream.FromTable).
			Foreach(ended)
	}))
	d.SendAt(calls, "112", 30, second(5))
	d.SendAt(calls, "112", 20, second(45))
	d.SendAt(calls, "911", 10, second(3600))
	// Output: 112 00:00:05 to 00:00:45: 2
}

func ExampleSlid_EmitOnClose() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(calls).
			GroupByKey().
			SlidingBy(window.Sliding(time.Minute)).
			EmitOnClose().
			Count(callStats).
			Apply(stream.FromTable).
			Foreach(ended)
	}))
	d.SendAt(calls, "112", 30, second(100))
	d.SendAt(calls, "112", 20, second(145))
	d.SendAt(calls, "911", 10, second(3600))
	// Output:
	// 112 00:00:40 to 00:01:40: 1
	// 112 00:01:25 to 00:02:25: 2
	// 112 00:01:40 to 00:02:40: 1
}

// However many records come, a row is told of once a second.
func ExampleGrouped_EmitEvery() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(calls).
			GroupByKey().
			EmitEvery(time.Second).
			Count(callStats).
			Apply(stream.FromTable).
			Foreach(func(number string, n int64) { fmt.Println(number, n) })
	}))
	d.Send(calls, "112", 30)
	d.Send(calls, "911", 10)
	d.Send(calls, "112", 20)
	d.Advance(time.Second)
	d.Advance(time.Second) // nothing is new
	// Output:
	// 112 2
	// 911 1
}
