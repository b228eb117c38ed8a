package table_test

import (
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
	cities    = topic.New("cities", serde.String, serde.String)    // person, city
	ages      = topic.New("ages", serde.String, serde.Int64)       // person, age
	byCity    = topic.New("by-city", serde.String, serde.Int64)    // repartition: city, age
	perCity   = topic.New("per-city", serde.String, serde.Int64)   // city, number
	addresses = topic.New("addresses", serde.String, serde.String) // person, text

	cityOf     = state.New("city-of", serde.String, serde.String)
	ageOf      = state.New("age-of", serde.String, serde.Int64)
	cityCounts = state.New("city-counts", serde.String, serde.Int64)
)

// show prints a change of a row.
func show[V any](key string, v V, ok bool) {
	if ok {
		fmt.Println(key, v)
	} else {
		fmt.Println(key, "is gone")
	}
}

// A table follows its rows as they change: when somebody moves, one city gets a
// person and another loses one.
func Example() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			GroupBy(func(_, city string) (string, int64) { return city, 1 }, byCity).
			Count(cityCounts).
			To(perCity)
	}))
	d.Send(cities, "ann", "Rome")
	d.Send(cities, "bob", "Rome")
	d.Send(cities, "ann", "Oslo")
	for city, n := range d.Read(perCity) {
		fmt.Println(city, n)
	}
	// Output:
	// Rome 1
	// Rome 2
	// Rome 1
	// Oslo 1
}

func ExampleTable_Apply() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			Apply(stream.FromTable). // a stream from here on
			SelectKey(func(_, city string) string { return city }).
			To(addresses)
	}))
	d.Send(cities, "ann", "Rome")
	for k, v := range d.Read(addresses) {
		fmt.Println(k, v)
	}
	// Output: Rome Rome
}

// A deleted row is written as a tombstone, a record without a value.
func ExampleTable_To() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).To(addresses)
	}))
	d.Send(cities, "ann", "Rome")
	d.Delete(cities, "ann")
	for _, r := range d.Records(addresses) {
		fmt.Printf("%s %q tombstone: %t\n", r.Key, r.Value, r.NoValue)
	}
	// Output:
	// ann "Rome" tombstone: false
	// ann "" tombstone: true
}

func ExampleTable_Foreach() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).Foreach(func(person, city string, ok bool) {
			if ok {
				fmt.Println(person, "lives in", city)
			} else {
				fmt.Println(person, "lives nowhere")
			}
		})
	}))
	d.Send(cities, "ann", "Rome")
	d.Delete(cities, "ann")
	// Output:
	// ann lives in Rome
	// ann lives nowhere
}

func ExampleTable_Filter() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			Filter(func(_ string, age int64) bool { return age < 18 }).
			Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "bob", 40) // never passed: nothing to tell
	d.Send(ages, "ann", 18) // passes no longer
	// Output:
	// ann 17
	// ann is gone
}

func ExampleTable_FilterNot() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			FilterNot(func(_ string, age int64) bool { return age < 18 }).
			Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "bob", 40)
	// Output: bob 40
}

func ExampleTable_MapValues() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).MapValues(strings.ToUpper).Foreach(show[string])
	}))
	d.Send(cities, "ann", "Rome")
	// Output: ann ROME
}

func ExampleTable_MapValuesWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			MapValuesWithKey(func(person, city string) string { return person + " of " + city }).
			Foreach(show[string])
	}))
	d.Send(cities, "ann", "Rome")
	// Output: ann ann of Rome
}

func ExampleTable_Join() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			Join(b.Table(ages, ageOf), func(city string, age int64) string {
				return fmt.Sprintf("%d, %s", age, city)
			}).
			Foreach(show[string])
	}))
	d.Send(cities, "ann", "Rome") // no age yet
	d.Send(ages, "ann", 17)
	d.Send(cities, "ann", "Oslo")
	d.Delete(ages, "ann")
	// Output:
	// ann 17, Rome
	// ann 17, Oslo
	// ann is gone
}

func ExampleTable_LeftJoin() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			LeftJoin(b.Table(ages, ageOf), func(city string, age int64, known bool) string {
				if !known {
					return city
				}
				return fmt.Sprintf("%d, %s", age, city)
			}).
			Foreach(show[string])
	}))
	d.Send(cities, "ann", "Rome")
	d.Send(ages, "ann", 17)
	d.Delete(ages, "ann")
	// Output:
	// ann Rome
	// ann 17, Rome
	// ann Rome
}

func ExampleTable_GroupBy() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			GroupBy(func(_, city string) (string, int64) { return city, 1 }, byCity).
			Count(cityCounts).
			Foreach(show[int64])
	}))
	d.Send(cities, "ann", "Rome")
	d.Send(cities, "ann", "Oslo")
	// Output:
	// Rome 1
	// Rome 0
	// Oslo 1
}

func ExampleGrouped_Count() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			GroupBy(func(_, city string) (string, int64) { return city, 1 }, byCity).
			Count(cityCounts).
			Foreach(show[int64])
	}))
	d.Send(cities, "ann", "Rome")
	d.Send(cities, "bob", "Rome")
	d.Delete(cities, "ann")
	// Output:
	// Rome 1
	// Rome 2
	// Rome 1
}

// byInitial groups ages by the first letter of the name.
func byInitial(person string, age int64) (string, int64) { return person[:1], age }

func plus(sum, age int64) int64  { return sum + age }
func minus(sum, age int64) int64 { return sum - age }

func ExampleGrouped_Reduce() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			GroupBy(byInitial, byCity).
			Reduce(cityCounts, plus, minus).
			Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "al", 40)
	d.Send(ages, "ann", 18)
	// Output:
	// a 17
	// a 57
	// a 58
}

func ExampleGrouped_Aggregate() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			GroupBy(byInitial, byCity).
			Aggregate(cityCounts,
				func() int64 { return 1000 },
				func(_ string, age, sum int64) int64 { return sum + age },
				func(_ string, age, sum int64) int64 { return sum - age }).
			Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "ann", 18)
	// Output:
	// a 1017
	// a 1018
}

// Within one commit (here: one record) a table tells of a row once, unless it
// emits on update.
func ExampleGrouped_EmitOnUpdate() {
	grouped := func(t table.Table[string, int64]) table.Grouped[string, int64] { return t.GroupBy(byInitial, byCity) }
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(ages, ageOf).
			Apply(grouped).
			EmitOnUpdate().
			Reduce(cityCounts, plus, minus).
			Foreach(show[int64])
	}))
	d.Send(ages, "ann", 17)
	d.Send(ages, "al", 40)
	// Output:
	// a 17
	// a 57
}
