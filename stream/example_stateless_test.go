package stream_test

import (
	"fmt"
	"iter"
	"strings"

	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
)

func ExampleStream_Filter() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(readings).
			Filter(func(_ string, celsius int64) bool { return celsius > 100 }).
			To(totals)
	}))
	d.Send(readings, "oven", 180)
	d.Send(readings, "fridge", 4)
	for sensor, celsius := range d.Read(totals) {
		fmt.Println(sensor, celsius)
	}
	// Output: oven 180
}

func ExampleStream_FilterNot() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).
			FilterNot(func(_, word string) bool { return strings.HasPrefix(word, "#") }).
			To(out)
	}))
	d.Send(words, "k", "#comment")
	d.Send(words, "k", "text")
	for _, word := range d.Read(out) {
		fmt.Println(word)
	}
	// Output: text
}

func ExampleStream_Split() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		hot, rest := b.Stream(readings).Split(func(_ string, c int64) bool { return c > 60 })
		warm, cold := rest.Split(func(_ string, c int64) bool { return c > 20 })
		hot.Foreach(func(s string, c int64) { fmt.Println("hot: ", s, c) })
		warm.Foreach(func(s string, c int64) { fmt.Println("warm:", s, c) })
		cold.Foreach(func(s string, c int64) { fmt.Println("cold:", s, c) })
	}))
	d.Send(readings, "oven", 180)
	d.Send(readings, "fridge", 4)
	d.Send(readings, "room", 21)
	// Output:
	// hot:  oven 180
	// cold: fridge 4
	// warm: room 21
}

func ExampleStream_Merge() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Merge(b.Stream(lines)).To(out)
	}))
	d.Send(words, "a", "from words")
	d.Send(lines, "b", "from lines")
	for k, v := range d.Read(out) {
		fmt.Println(k, v)
	}
	// Output:
	// a from words
	// b from lines
}

func ExampleStream_Peek() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).
			Peek(func(k, v string) { fmt.Println("before:", v) }).
			MapValues(strings.ToUpper).
			Peek(func(k, v string) { fmt.Println("after: ", v) }).
			To(out)
	}))
	d.Send(words, "k", "word")
	// Output:
	// before: word
	// after:  WORD
}

func ExampleStream_Foreach() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).Foreach(func(k, v string) { fmt.Println(k, v) })
	}))
	d.Send(words, "k", "v")
	// Output: k v
}

func ExampleStream_MapValues() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).
			MapValues(func(word string) int64 { return int64(len(word)) }).
			To(totals)
	}))
	d.Send(words, "k", "seven")
	for k, n := range d.Read(totals) {
		fmt.Println(k, n)
	}
	// Output: k 5
}

func ExampleStream_MapValuesWithKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			MapValuesWithKey(func(user, page string) string { return user + " was at " + page }).
			To(out)
	}))
	d.Send(clicks, "ann", "/home")
	for _, v := range d.Read(out) {
		fmt.Println(v)
	}
	// Output: ann was at /home
}

func ExampleStream_Map() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).
			Map(func(user, page string) (string, string) { return page, user }).
			To(out)
	}))
	d.Send(clicks, "ann", "/home")
	for page, user := range d.Read(out) {
		fmt.Println(page, user)
	}
	// Output: /home ann
}

func ExampleStream_SelectKey() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).
			SelectKey(func(_, word string) string { return word[:1] }).
			To(out)
	}))
	d.Send(words, "", "apple")
	for initial, word := range d.Read(out) {
		fmt.Println(initial, word)
	}
	// Output: a apple
}

func ExampleStream_FlatMapValues() {
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lines).FlatMapValues(strings.FieldsSeq).To(out)
	}))
	d.Send(lines, "k", "one two")
	for k, word := range d.Read(out) {
		fmt.Println(k, word)
	}
	// Output:
	// k one
	// k two
}

func ExampleStream_FlatMapValuesWithKey() {
	// tagged yields each word of a line behind its key.
	tagged := func(k, line string) iter.Seq[string] {
		return func(yield func(string) bool) {
			for word := range strings.FieldsSeq(line) {
				if !yield(k + "/" + word) {
					return
				}
			}
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(lines).FlatMapValuesWithKey(tagged).To(out)
	}))
	d.Send(lines, "k", "one two")
	for k, word := range d.Read(out) {
		fmt.Println(k, word)
	}
	// Output:
	// k k/one
	// k k/two
}

func ExampleStream_FlatMap() {
	// letters yields each letter of a word, with the word as its key.
	letters := func(_, word string) iter.Seq2[string, string] {
		return func(yield func(string, string) bool) {
			for _, r := range word {
				if !yield(word, string(r)) {
					return
				}
			}
		}
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(words).FlatMap(letters).To(out)
	}))
	d.Send(words, "", "go")
	for word, letter := range d.Read(out) {
		fmt.Println(word, letter)
	}
	// Output:
	// go g
	// go o
}
