package stream_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
)

// Declarations that the examples share, as package variables of an application.
var (
	lines    = topic.New("lines", serde.String, serde.String)
	words    = topic.New("words", serde.String, serde.String)
	clicks   = topic.New("clicks", serde.String, serde.String) // user, page
	readings = topic.New("readings", serde.String, serde.Int64)
	totals   = topic.New("totals", serde.String, serde.Int64)
	out      = topic.New("out", serde.String, serde.String)

	counts = state.New("counts", serde.String, serde.Int64)
	sums   = state.New("sums", serde.String, serde.Int64)
	lasts  = state.New("lasts", serde.String, serde.String)
)

// Words are counted over all lines: the stream is sent through a repartition
// topic, so that equal words meet in one task.
func Example() {
	wordCount := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lines).
			FlatMapValues(strings.FieldsSeq).
			GroupBy(func(_, word string) string { return word }, words).
			Count(counts).
			To(totals)
	})

	d := streamtest.MustNew(wordCount)
	d.Send(lines, "", "to be or not to be")
	for word, n := range d.Read(totals) {
		fmt.Println(word, n)
	}
	// Output:
	// to 1
	// be 1
	// or 1
	// not 1
	// to 2
	// be 2
}

// Every mistake in a topology is found when it is built, with its place.
func ExampleBuild() {
	_, err := stream.Build(func(b *stream.Builder) {
		b.Stream(lines).
			SelectKey(func(_, line string) string { return line }).
			GroupByKey().
			Count(counts)
	})
	var mistake *stream.BuildError
	if errors.As(err, &mistake) {
		problem, _, _ := strings.Cut(mistake.Problem, ", but")
		fmt.Println(problem)
	}
	// Output: GroupByKey needs records partitioned by their key
}

func ExampleTopology_Describe() {
	t := stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).GroupByKey().Count(counts).To(totals)
	})
	fmt.Print(t.Describe())
	// Output:
	// sub-topology 0
	//    0 Stream <- topic words -> 1
	//    1 Count [key-value store counts] -> 2
	//    2 To -> topic totals
}

func ExampleFromTable() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(words, lasts).Apply(stream.FromTable).MapValues(strings.ToUpper).To(out)
	}))
	d.Send(words, "k", "a")
	d.Delete(words, "k") // no value, so no record
	for k, v := range d.Read(out) {
		fmt.Println(k, v)
	}
	// Output: k A
}

func ExampleChanges() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(words, lasts).
			Apply(stream.Changes[string, string]).
			Foreach(func(k string, v *string) {
				if v == nil {
					fmt.Println(k, "is gone")
				} else {
					fmt.Println(k, "is", *v)
				}
			})
	}))
	d.Send(words, "k", "a")
	d.Delete(words, "k")
	// Output:
	// k is a
	// k is gone
}

func ExampleStream_ToTable() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).
			Filter(func(_, word string) bool { return word != "" }).
			ToTable(lasts)
	}))
	d.Send(words, "k", "a")
	d.Send(words, "k", "b")
	fmt.Println(d.Store(lasts).Get("k"))
	// Output: b true <nil>
}

func ExampleStream_Apply() {
	// An operator of one's own is a function from stream to stream.
	var shout = func(s stream.Stream[string, string]) stream.Stream[string, string] {
		return s.MapValues(strings.ToUpper).MapValues(func(v string) string { return v + "!" })
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Apply(shout).To(out)
	}))
	d.Send(words, "k", "hello")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: HELLO!
}

func ExampleStream_To() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).To(out)
	}))
	d.Send(words, "k", "v")
	for k, v := range d.Read(out) {
		fmt.Println(k, v)
	}
	// Output: k v
}

func ExampleStream_Repartition() {
	byPage := topic.New("by-page", serde.String, serde.String)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			SelectKey(func(_, page string) string { return page }).
			Repartition(byPage). // topic app-by-page-repartition
			ToTable(lasts)
	}))
	d.Send(clicks, "ann", "/home")
	fmt.Println(d.Store(lasts).Get("/home"))
	// Output: /home true <nil>
}

func ExampleStream_GroupBy() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupBy(func(user, page string) string { return page }, words).
			Count(counts).
			To(totals)
	}))
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "bob", "/home")
	for page, n := range d.Read(totals) {
		fmt.Println(page, n)
	}
	// Output:
	// /home 1
	// /home 2
}

func ExampleStream_GroupByKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).GroupByKey().Count(counts).To(totals)
	}))
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "ann", "/cart")
	for user, n := range d.Read(totals) {
		fmt.Println(user, n)
	}
	// Output:
	// ann 1
	// ann 2
}

func ExampleGrouped_Count() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			GroupByKey().
			Count(counts).
			Filter(func(_ string, n int64) bool { return n >= 2 }).
			To(totals)
	}))
	d.Send(clicks, "ann", "/home")
	d.Send(clicks, "bob", "/home")
	d.Send(clicks, "ann", "/cart")
	for user, n := range d.Read(totals) {
		fmt.Println(user, n)
	}
	// Output: ann 2
}

func ExampleGrouped_Reduce() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).
			GroupByKey().
			Reduce(sums, func(highest, r int64) int64 { return max(highest, r) }).
			To(totals)
	}))
	d.Send(readings, "oven", 180)
	d.Send(readings, "oven", 220)
	d.Send(readings, "oven", 200)
	for sensor, highest := range d.Read(totals) {
		fmt.Println(sensor, highest)
	}
	// Output:
	// oven 180
	// oven 220
	// oven 220
}

func ExampleGrouped_Aggregate() {
	type mean struct{ Sum, N int64 }
	means := state.New("means", serde.String, serde.JSON[mean]())
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).
			GroupByKey().
			Aggregate(means,
				func() mean { return mean{} },
				func(_ string, r int64, m mean) mean { return mean{m.Sum + r, m.N + 1} }).
			MapValues(func(m mean) int64 { return m.Sum / m.N }).
			To(totals)
	}))
	d.Send(readings, "oven", 180)
	d.Send(readings, "oven", 220)
	for sensor, mean := range d.Read(totals) {
		fmt.Println(sensor, mean)
	}
	// Output:
	// oven 180
	// oven 200
}

// A record here is four words, which a table that emits on commit tells of once
// for each word; with EmitOnUpdate it tells of every word.
func ExampleGrouped_EmitOnUpdate() {
	split := func(s stream.Stream[string, string]) stream.Grouped[string, string] {
		return s.FlatMapValues(strings.FieldsSeq).GroupByKey()
	}
	var d *streamtest.Driver
	show := func(name string, t table.Table[string, int64]) {
		t.Foreach(func(_ string, n int64, _ bool) { fmt.Println(name, n) })
	}
	d = streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		show("on update", b.Stream(lines).Apply(split).EmitOnUpdate().Count(counts))
		show("on commit", b.Stream(lines).Apply(split).Count(sums))
	}))
	d.Send(lines, "k", "to be or not")
	// Output:
	// on update 1
	// on update 2
	// on update 3
	// on update 4
	// on commit 4
}
