package table_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/window"
)

var (
	told     = state.New("told", serde.String, serde.Int64)
	perHour  = state.New("per-hour", serde.String, serde.Int64)
	finished = state.New("finished", window.KeySerde(serde.String), serde.Int64)
)

// at is a time of the examples.
func at(minute int64) time.Time { return time.Unix(minute*60, 0) }

func ExampleTable_EmitEvery() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).EmitEvery(time.Minute).Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "ann", 18)
	d.Advance(time.Minute)
	// Output: ann 18
}

// In a test every record is a commit.
func ExampleTable_EmitOnCommit() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).EmitOnCommit().Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Delete(ages, "bob") // who never was
	// Output: ann 17
}

func ExampleTable_EmitOnUpdate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(ages).GroupByKey().Count(perHour).EmitOnUpdate().Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "ann", 18)
	// Output:
	// ann 1
	// ann 2
}

func ExampleGrouped_EmitEvery() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			GroupBy(byInitial, byCity).
			EmitEvery(time.Minute).
			Count(cityCounts).
			Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "al", 40)
	d.Advance(time.Minute)
	// Output: a 2
}

// Of each row at most one change in ten minutes of stream time.
func ExampleTable_Suppress() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			Suppress(told, table.UntilTimeLimit(10*time.Minute).MaxRecords(100_000)).
			Foreach(show[int64])
	}))
	d.SendAt(ages, "ann", 17, at(0))
	d.SendAt(ages, "ann", 18, at(7))
	d.SendAt(ages, "bob", 40, at(10)) // ann has waited for ten minutes
	// Output: ann 18
}

func ExampleUntilWindowCloses() {
	hourly := window.Tumbling(time.Hour).Grace(5 * time.Minute)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(ages).
			GroupByKey().
			WindowedBy(hourly).
			Count(perHour).
			Suppress(finished, table.UntilWindowCloses(hourly)).
			Foreach(func(k window.Key[string], n int64, _ bool) { fmt.Println(k.Key, n) })
	}))
	d.SendAt(ages, "ann", 17, at(0))
	d.SendAt(ages, "ann", 18, at(59))
	d.SendAt(ages, "ann", 19, at(65)) // the first hour can't change any more
	// Output: ann 2
}
