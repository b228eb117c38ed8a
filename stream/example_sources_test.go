package stream_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
)

// One stream of several topics, and one of all topics that match a pattern.
func ExampleBuilder_Stream_several() {
	var (
		web    = topic.New("web", serde.String, serde.String)
		mobile = topic.New("mobile", serde.String, serde.String)
		logs   = topic.Matching("log-[a-z]+", serde.String, serde.String)
		all    = topic.New("all", serde.String, serde.String)
	)
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(web, mobile, logs).To(all)
	}))
	d.Send(mobile, "m", "tap")
	d.Send(web, "w", "click")
	d.Send(topic.New("log-paris", serde.String, serde.String), "l", "error")
	for k, v := range d.Read(all) {
		fmt.Println(k, v)
	}
	// Output:
	// m tap
	// w click
	// l error
}

func ExampleStream_ToTopics() {
	orders := topic.New("orders", serde.String, serde.String)
	regions := topic.Matching("orders-.*", serde.String, serde.String)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(orders).ToTopics(regions, func(_, order string) string {
			region, _, _ := strings.Cut(order, ":")
			return "orders-" + region
		})
	}))
	d.Send(orders, "1", "eu:lamp")
	d.Send(orders, "2", "us:chair")
	for k, v := range d.Read(topic.New("orders-us", serde.String, serde.String)) {
		fmt.Println(k, v)
	}
	// Output: 2 us:chair
}

func ExampleStream_Branch() {
	orders := topic.New("orders", serde.String, serde.Int64)
	large := topic.New("large", serde.String, serde.Int64)
	odd := topic.New("odd", serde.String, serde.Int64)
	rest := topic.New("rest", serde.String, serde.Int64)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		split := b.Stream(orders).Branch()
		split.When("large", func(_ string, n int64) bool { return n > 100 }).To(large)
		split.When("odd", func(_ string, n int64) bool { return n%2 == 1 }).To(odd)
		split.Otherwise("rest").To(rest)
	}))
	for _, n := range []int64{7, 101, 8} {
		d.Send(orders, "a", n)
	}
	for _, t := range []topic.Topic[string, int64]{large, odd, rest} {
		for _, n := range d.Read(t) {
			fmt.Println(t, n)
		}
	}
	// Output:
	// large 101
	// odd 7
	// rest 8
}

func ExampleBranches_When() {
	words := topic.New("words", serde.String, serde.String)
	short := topic.New("short", serde.String, serde.String)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		split := b.Stream(words).Branch()
		split.When("short", func(_, w string) bool { return len(w) < 4 }).To(short)
	}))
	d.Send(words, "", "a")
	d.Send(words, "", "sentence")
	for _, w := range d.Read(short) {
		fmt.Println(w)
	}
	// Output: a
}

func ExampleBranches_Otherwise() {
	words := topic.New("words", serde.String, serde.String)
	others := topic.New("others", serde.String, serde.String)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		split := b.Stream(words).Branch()
		split.When("short", func(_, w string) bool { return len(w) < 4 }).Foreach(func(string, string) {})
		split.Otherwise("others").MapValues(strings.ToUpper).To(others)
	}))
	d.Send(words, "", "a")
	d.Send(words, "", "sentence")
	for _, w := range d.Read(others) {
		fmt.Println(w)
	}
	// Output: SENTENCE
}

func ExampleStream_MapValuesAsync() {
	users := topic.New("users", serde.String, serde.String)
	known := topic.New("known", serde.String, serde.String)
	lookUp := func(ctx context.Context, id, name string) (string, error) {
		return name + " of " + id, ctx.Err() // a call of a service, say
	}
	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(users).
			MapValuesAsync(stream.Async{InFlight: 200, Timeout: 2 * time.Second, Order: stream.KeyOrder}, lookUp).
			To(known)
	}))
	d.Send(users, "1", "Ada")
	for _, v := range d.Read(known) {
		fmt.Println(v)
	}
	// Output: Ada of 1
}

func ExampleStream_Dedup() {
	clicks := topic.New("clicks", serde.String, serde.String)
	once := topic.New("once", serde.String, serde.String)
	seen := state.NewSeen("seen", serde.String)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(clicks).Dedup(seen, time.Minute).To(once)
	}))
	for _, second := range []int{0, 10, 50, 61} {
		d.SendAt(clicks, "ada", fmt.Sprint(second), streamtest.Start.Add(time.Duration(second)*time.Second))
	}
	for _, v := range d.Read(once) {
		fmt.Println(v)
	}
	fmt.Println(d.Dropped("duplicate"), "duplicates")
	// Output:
	// 0
	// 61
	// 2 duplicates
}

func ExampleStream_DedupBy() {
	payments := topic.New("payments", serde.String, serde.String)
	once := topic.New("once", serde.String, serde.String)
	seen := state.NewSeen("payment-ids", serde.String)

	d := streamtest.MustNew(stream.MustBuild(func(b *stream.Builder) {
		b.Stream(payments).DedupBy(seen, time.Hour, func(_, payment string) string {
			id, _, _ := strings.Cut(payment, ":")
			return id
		}).To(once)
	}))
	d.Send(payments, "ada", "p1:10")
	d.Send(payments, "ada", "p1:10")
	d.Send(payments, "ada", "p2:10")
	for _, v := range d.Read(once) {
		fmt.Println(v)
	}
	// Output:
	// p1:10
	// p2:10
}
