package stream_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/window"
)

// printWindow prints a change of a row of a windowed table.
func printWindow[V any](w window.Key[string], v V, ok bool) {
	fmt.Print(w.Key, " ", w.Start().Format(time.TimeOnly), "-", w.End().Format(time.TimeOnly))
	if ok {
		fmt.Println(":", v)
	} else {
		fmt.Println(" is gone")
	}
}

func ExampleGrouped_WindowedBy() {
	perMinute := window.Tumbling(time.Minute).Grace(10 * time.Second)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			WindowedBy(perMinute).
			Count(counts).
			Foreach(printWindow[int64])
	}))
	d.Send(clicks, "ann", "/home")
	d.Advance(65 * time.Second)
	d.Send(clicks, "ann", "/cart")
	d.SendAt(clicks, "ann", "/late", d.Now().Add(-30*time.Second)) // within the grace
	// Output:
	// ann 00:00:00-00:01:00: 1
	// ann 00:01:00-00:02:00: 1
	// ann 00:00:00-00:01:00: 2
}

func ExampleGrouped_SessionsBy() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			SessionsBy(window.Session(time.Minute)).
			Count(counts).
			Foreach(printWindow[int64])
	}))
	d.Send(clicks, "ann", "/home")
	d.Advance(30 * time.Second)
	d.Send(clicks, "ann", "/cart") // the session is longer now: its key is another
	d.Advance(2 * time.Minute)
	d.Send(clicks, "ann", "/home")
	// Output:
	// ann 00:00:00-00:00:00: 1
	// ann 00:00:00-00:00:00 is gone
	// ann 00:00:00-00:00:30: 2
	// ann 00:02:30-00:02:30: 1
}

// A record is in three windows of three minutes that begin a minute apart,
// unless they would begin before the epoch.
func ExampleWindowed_Count() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			WindowedBy(window.Hopping(3*time.Minute, time.Minute)).
			Count(counts).
			Foreach(printWindow[int64])
	}))
	d.Advance(10 * time.Minute)
	d.Send(clicks, "ann", "/home")
	// Output:
	// ann 00:08:00-00:11:00: 1
	// ann 00:09:00-00:12:00: 1
	// ann 00:10:00-00:13:00: 1
}

func ExampleWindowed_Reduce() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).
			GroupByKey().
			WindowedBy(window.Tumbling(time.Hour)).
			Reduce(sums, func(highest, r int64) int64 { return max(highest, r) }).
			Foreach(printWindow[int64])
	}))
	d.Send(readings, "oven", 180)
	d.Send(readings, "oven", 220)
	// Output:
	// oven 00:00:00-01:00:00: 180
	// oven 00:00:00-01:00:00: 220
}

func ExampleWindowed_Aggregate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			WindowedBy(window.Tumbling(time.Hour)).
			Aggregate(lasts,
				func() string { return "start" },
				func(_, page, path string) string { return path + " " + page }).
			Foreach(printWindow[string])
	}))
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "ann", "/cart")
	// Output:
	// ann 00:00:00-01:00:00: start /home
	// ann 00:00:00-01:00:00: start /home /cart
}

func ExampleSessioned_Count() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			SessionsBy(window.Session(time.Minute)).
			Count(counts).
			Foreach(printWindow[int64])
	}))
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "ann", "/home")
	// Output:
	// ann 00:00:00-00:00:00: 1
	// ann 00:00:00-00:00:00: 2
}

func ExampleSessioned_Reduce() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).
			GroupByKey().
			SessionsBy(window.Session(time.Minute)).
			Reduce(sums, func(sum, r int64) int64 { return sum + r }).
			Foreach(printWindow[int64])
	}))
	d.Send(readings, "oven", 180)
	d.Send(readings, "oven", 20)
	// Output:
	// oven 00:00:00-00:00:00: 180
	// oven 00:00:00-00:00:00: 200
}

// A late record between two sessions makes one of them.
func ExampleSessioned_Aggregate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			SessionsBy(window.Session(time.Minute).Grace(time.Hour)).
			Aggregate(lasts,
				func() string { return "" },
				func(_, page, pages string) string { return pages + page },
				func(_, earlier, later string) string { return earlier + later }).
			Foreach(printWindow[string])
	}))
	d.Send(clicks, "ann", "/a")
	d.Advance(90 * time.Second)
	d.Send(clicks, "ann", "/c")
	d.SendAt(clicks, "ann", "/b", d.Now().Add(-45*time.Second))
	// Output:
	// ann 00:00:00-00:00:00: /a
	// ann 00:01:30-00:01:30: /c
	// ann 00:00:00-00:00:00 is gone
	// ann 00:01:30-00:01:30 is gone
	// ann 00:00:00-00:01:30: /a/c/b
}
