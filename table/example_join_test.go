package table_test

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

func ExampleTable_OuterJoin() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			OuterJoin(b.Table(ages, ageOf), func(city string, settled bool, age int64, known bool) string {
				switch {
				case !settled:
					return fmt.Sprintf("%d, of nowhere", age)
				case !known:
					return city
				}
				return fmt.Sprintf("%d, %s", age, city)
			}).
			Foreach(show[string])
	}))
	d.Send(ages, "ann", 17)
	d.Send(cities, "ann", "Rome")
	d.Delete(ages, "ann")
	d.Delete(cities, "ann")
	// Output:
	// ann 17, of nowhere
	// ann 17, Rome
	// ann Rome
	// ann is gone
}

func ExampleTable_JoinWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			JoinWithKey(b.Table(ages, ageOf), func(name, city string, age int64) string {
				return fmt.Sprintf("%s (%d) of %s", name, age, city)
			}).
			Foreach(show[string])
	}))
	d.Send(cities, "ann", "Rome")
	d.Send(ages, "ann", 17)
	// Output: ann ann (17) of Rome
}

func ExampleTable_LeftJoinWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			LeftJoinWithKey(b.Table(ages, ageOf), func(name, city string, age int64, known bool) string {
				return fmt.Sprintf("%s of %s, age known: %t", name, city, known)
			}).
			Foreach(show[string])
	}))
	d.Send(cities, "ann", "Rome")
	// Output: ann ann of Rome, age known: false
}

func ExampleTable_OuterJoinWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(cities, cityOf).
			OuterJoinWithKey(b.Table(ages, ageOf), func(name, city string, settled bool, age int64, known bool) string {
				return fmt.Sprintf("%s settled: %t, age known: %t", name, settled, known)
			}).
			Foreach(show[string])
	}))
	d.Send(ages, "ann", 17)
	// Output: ann ann settled: false, age known: true
}

// What the examples of joins by foreign keys share: books that name their
// publisher.
var (
	books      = topic.New("books", serde.String, serde.String)      // title, publisher's name
	publishers = topic.New("publishers", serde.String, serde.String) // name, town

	bookStore      = state.New("books", serde.String, serde.String)
	publisherStore = state.New("publishers", serde.String, serde.String)
	published      = state.New("published", serde.String, serde.String)
	byPublisher    = state.NewForeign("by-publisher", serde.String, serde.String, serde.String)
)

func publisherOf(_, name string) string { return name }

func ExampleTable_JoinForeign() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(books, bookStore).
			JoinForeign(b.Table(publishers, publisherStore), publisherOf, byPublisher, published,
				func(name, town string) string { return name + ", " + town }).
			Foreach(show[string])
	}))
	d.Send(publishers, "Aldus", "Venice")
	d.Send(books, "Poetics", "Aldus")
	d.Send(books, "Rhetoric", "Aldus")
	d.Send(publishers, "Aldus", "Rome") // it moves, and with it all its books
	d.Send(books, "Poetics", "Plantin") // which is unknown
	// Output:
	// Poetics Aldus, Venice
	// Rhetoric Aldus, Venice
	// Poetics Aldus, Rome
	// Rhetoric Aldus, Rome
	// Poetics is gone
}

func ExampleTable_LeftJoinForeign() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(books, bookStore).
			LeftJoinForeign(b.Table(publishers, publisherStore), publisherOf, byPublisher, published,
				func(name, town string, known bool) string {
					if !known {
						town = "town unknown"
					}
					return name + ", " + town
				}).
			Foreach(show[string])
	}))
	d.Send(books, "Poetics", "Aldus")
	d.Send(publishers, "Aldus", "Venice")
	d.Delete(books, "Poetics")
	// Output:
	// Poetics Aldus, town unknown
	// Poetics Aldus, Venice
	// Poetics is gone
}

func ExampleTable_OuterJoinForeign() {
	key := func(title string, ok bool, publisher string) string {
		if ok {
			return "book " + title
		}
		return "publisher " + publisher
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Table(books, bookStore).
			OuterJoinForeign(b.Table(publishers, publisherStore), publisherOf, byPublisher, published, key,
				func(name string, ok bool, town string, known bool) string {
					switch {
					case !ok:
						return "of " + town + " has no book"
					case !known:
						return "by " + name
					}
					return "by " + name + " of " + town
				}).
			Foreach(show[string])
	}))
	d.Send(publishers, "Aldus", "Venice")
	d.Send(books, "Poetics", "Aldus")
	d.Delete(books, "Poetics")
	// Output:
	// publisher Aldus of Venice has no book
	// publisher Aldus is gone
	// book Poetics by Aldus of Venice
	// publisher Aldus of Venice has no book
	// book Poetics is gone
}
