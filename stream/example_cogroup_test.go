package stream_test

import (
	"fmt"
	"time"
	_ "time/tzdata" // Europe/Berlin, wherever the tests run

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// Windows of a function of one's own: calendar days in a time zone, of 23 to 25
// hours.
func ExampleGrouped_WindowedBy_custom() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Println(err)
		return
	}
	days := window.Custom(25*time.Hour, func(t time.Time) (start, end time.Time) {
		year, month, day := t.In(berlin).Date()
		return time.Date(year, month, day, 0, 0, 0, 0, berlin), time.Date(year, month, day+1, 0, 0, 0, 0, berlin)
	})
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			WindowedBy(days).
			Count(counts).
			Foreach(func(w window.Key[string], n int64, _ bool) {
				fmt.Println(w.Key, w.Start().In(berlin).Format(time.DateOnly), w.Size(), n)
			})
	}))
	d.SendAt(clicks, "ann", "/home", time.Date(2026, 3, 28, 23, 59, 0, 0, berlin))
	d.SendAt(clicks, "ann", "/home", time.Date(2026, 3, 29, 0, 1, 0, 0, berlin)) // summer time begins
	d.SendAt(clicks, "ann", "/home", time.Date(2026, 3, 29, 23, 59, 0, 0, berlin))
	// Output:
	// ann 2026-03-28 24h0m0s 1
	// ann 2026-03-29 23h0m0s 1
	// ann 2026-03-29 23h0m0s 2
}

// Two clicks are in a window together if they are at most ten seconds apart.
func ExampleGrouped_SlidingBy() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			SlidingBy(window.Sliding(10 * time.Second)).
			Count(counts).
			Filter(func(_ window.Key[string], n int64) bool { return n > 1 }).
			Foreach(printWindow[int64])
	}))
	d.Send(clicks, "ann", "/home")
	d.Advance(15 * time.Second)
	d.Send(clicks, "ann", "/cart")
	d.Advance(5 * time.Second)
	d.Send(clicks, "ann", "/pay")
	// Output: ann 00:00:10-00:00:20: 2
}

// A window ends with each record, and one begins behind each that others follow.
func ExampleSlid_Count() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			SlidingBy(window.Sliding(10 * time.Second)).
			Count(counts).
			Foreach(printWindow[int64])
	}))
	d.Advance(time.Minute)
	d.Send(clicks, "ann", "/home")
	d.Advance(4 * time.Second)
	d.Send(clicks, "ann", "/cart")
	// Output:
	// ann 00:00:50-00:01:00: 1
	// ann 00:01:00-00:01:10: 1
	// ann 00:00:54-00:01:04: 2
}

func ExampleSlid_Reduce() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).
			GroupByKey().
			SlidingBy(window.Sliding(time.Minute)).
			Reduce(sums, func(highest, r int64) int64 { return max(highest, r) }).
			Foreach(printWindow[int64])
	}))
	d.Advance(10 * time.Minute)
	d.Send(readings, "oven", 220)
	d.Send(readings, "oven", 180)
	// Output:
	// oven 00:09:00-00:10:00: 220
	// oven 00:09:00-00:10:00: 220
}

func ExampleSlid_Aggregate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			SlidingBy(window.Sliding(time.Minute)).
			Aggregate(lasts,
				func() string { return "start" },
				func(_, page, path string) string { return path + " " + page }).
			Foreach(printWindow[string])
	}))
	d.Advance(10 * time.Minute)
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "ann", "/cart")
	// Output:
	// ann 00:09:00-00:10:00: start /home
	// ann 00:09:00-00:10:00: start /home /cart
}

// amounts are a second stream of the users of clicks: user, amount.
var amounts = topic.New("amounts", serde.String, serde.Int64)

func addPage(_, page, row string) string { return row + " " + page }

func addAmount(_ string, amount int64, row string) string { return fmt.Sprint(row, " ", amount) }

func begin() string { return "start" }

func ExampleGrouped_Cogroup() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().
			Cogroup(addPage).
			And(b.Stream(amounts).GroupByKey(), addAmount).
			Aggregate(lasts, begin).
			To(out)
	}))
	d.Send(clicks, "ann", "/cart")
	d.Send(amounts, "ann", 20)
	for user, row := range d.Read(out) {
		fmt.Println(user, row)
	}
	// Output:
	// ann start /cart
	// ann start /cart 20
}

func ExampleCogrouped_And() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).GroupByKey().
			Cogroup(func(_ string, r, sum int64) int64 { return sum + r }).
			And(b.Stream(amounts).GroupByKey(), func(_ string, a, sum int64) int64 { return sum - a }).
			Aggregate(sums, func() int64 { return 0 }).
			To(totals)
	}))
	d.Send(readings, "ann", 50)
	d.Send(amounts, "ann", 20)
	for user, sum := range d.Read(totals) {
		fmt.Println(user, sum)
	}
	// Output:
	// ann 50
	// ann 30
}

func ExampleCogrouped_EmitOnUpdate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		g := b.Stream(readings).GroupByKey()
		double := func(_ string, r, sum int64) int64 { return sum + 2*r }
		g.Cogroup(double).And(g, double).EmitOnUpdate().
			Aggregate(sums, func() int64 { return 0 }).
			To(totals)
	}))
	d.Send(readings, "ann", 5) // is taken in twice
	for user, sum := range d.Read(totals) {
		fmt.Println(user, sum)
	}
	// Output:
	// ann 10
	// ann 20
}

func ExampleCogrouped_Aggregate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().
			Cogroup(addPage).
			And(b.Stream(amounts).GroupByKey(), addAmount).
			Aggregate(lasts, begin)
	}))
	d.Send(clicks, "ann", "/cart")
	d.Send(amounts, "ann", 20)
	fmt.Println(d.Store(lasts).Get("ann"))
	// Output: start /cart 20 true <nil>
}

// cogroupIn runs a cogroup of clicks and amounts in windows.
func cogroupIn(build func(stream.Cogrouped[string, string])) {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		build(b.Stream(clicks).GroupByKey().Cogroup(addPage).And(b.Stream(amounts).GroupByKey(), addAmount))
	}))
	d.Advance(10 * time.Minute)
	d.Send(clicks, "ann", "/cart")
	d.Advance(5 * time.Second)
	d.Send(amounts, "ann", 20)
}

func ExampleCogrouped_WindowedBy() {
	cogroupIn(func(c stream.Cogrouped[string, string]) {
		c.WindowedBy(window.Tumbling(time.Minute)).Aggregate(lasts, begin).Foreach(printWindow[string])
	})
	// Output:
	// ann 00:10:00-00:11:00: start /cart
	// ann 00:10:00-00:11:00: start /cart 20
}

func ExampleCogroupWindowed_Aggregate() {
	cogroupIn(func(c stream.Cogrouped[string, string]) {
		c.WindowedBy(window.Hopping(2*time.Minute, time.Minute)).Aggregate(lasts, begin).Foreach(printWindow[string])
	})
	// Output:
	// ann 00:09:00-00:11:00: start /cart
	// ann 00:10:00-00:12:00: start /cart
	// ann 00:09:00-00:11:00: start /cart 20
	// ann 00:10:00-00:12:00: start /cart 20
}

func ExampleCogrouped_SlidingBy() {
	cogroupIn(func(c stream.Cogrouped[string, string]) {
		c.SlidingBy(window.Sliding(time.Second)).Aggregate(lasts, begin).Foreach(printWindow[string])
	})
	// Output:
	// ann 00:09:59-00:10:00: start /cart
	// ann 00:10:04-00:10:05: start 20
}

func ExampleCogroupSlid_Aggregate() {
	cogroupIn(func(c stream.Cogrouped[string, string]) {
		c.SlidingBy(window.Sliding(time.Minute)).Aggregate(lasts, begin).Foreach(printWindow[string])
	})
	// Output:
	// ann 00:09:00-00:10:00: start /cart
	// ann 00:10:00-00:11:00: start 20
	// ann 00:09:05-00:10:05: start /cart 20
}

func ExampleCogrouped_SessionsBy() {
	cogroupIn(func(c stream.Cogrouped[string, string]) {
		c.SessionsBy(window.Session(time.Second)).
			Aggregate(lasts, begin, func(_, earlier, later string) string { return earlier + later }).
			Foreach(printWindow[string])
	})
	// Output:
	// ann 00:10:00-00:10:00: start /cart
	// ann 00:10:05-00:10:05: start 20
}

func ExampleCogroupSessioned_Aggregate() {
	cogroupIn(func(c stream.Cogrouped[string, string]) {
		c.SessionsBy(window.Session(time.Minute)).
			Aggregate(lasts, func() string { return "" }, func(_, earlier, later string) string { return earlier + later }).
			Foreach(printWindow[string])
	})
	// Output:
	// ann 00:10:00-00:10:00:  /cart
	// ann 00:10:00-00:10:00 is gone
	// ann 00:10:00-00:10:05:  /cart 20
}
