package main

import (
	"iter"
	"os"
	"strings"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

var workloads = map[string]func(*stream.Builder){
	"W1": filterMap,
	"W2": wordCount,
	"W3": perMinute,
	"W4": joinStreams,
	"W5": joinTable,
	"W6": sessions,
}

var (
	in     = os.Getenv("IN")
	in2    = os.Getenv("IN2")
	out    = os.Getenv("OUT")
	clicks = topic.New(in, serde.Bytes, clickSerde)
)

// filterMap (W1) keeps some clicks and makes a short record of each.
func filterMap(b *stream.Builder) {
	b.Stream(clicks).
		Filter(func(_ []byte, c click) bool { return c.flags()&3 != 0 }).
		MapValues(click.summary).
		To(topic.New(out, serde.Bytes, summarySerde))
}

// wordCount (W2) counts words over all lines.
func wordCount(b *stream.Builder) {
	b.Stream(topic.New(in, serde.Bytes, serde.String)).
		FlatMapValues(func(line string) iter.Seq[string] { return strings.SplitSeq(line, " ") }).
		GroupBy(func(_ []byte, word string) string { return word }, topic.New("words", serde.String, serde.String)).
		Count(state.New("counts", serde.String, serde.Int64)).
		To(topic.New(out, serde.String, serde.Int64))
}

// perMinute (W3) counts the clicks of a user and sums up their prices, by the
// minute.
func perMinute(b *stream.Builder) {
	b.Stream(clicks).
		GroupByKey().
		WindowedBy(window.Tumbling(time.Minute)).
		Aggregate(state.New("minutes", serde.Bytes, totalsSerde), none, add).
		To(topic.New(out, windowStartSerde, totalsSerde))
}

// joinStreams (W4) pairs what came within ten seconds on either side.
func joinStreams(b *stream.Builder) {
	left := b.Stream(topic.New(in, serde.Bytes, serde.Bytes))
	right := b.Stream(topic.New(in2, serde.Bytes, serde.Bytes))
	left.Join(right, window.Within(10*time.Second).Grace(10*time.Second),
		state.NewJoin("sides", serde.Bytes, serde.Bytes, serde.Bytes), pairOf).
		To(topic.New(out, serde.Bytes, pairSerde))
}

// joinTable (W5) adds to each click what is known of its user.
func joinTable(b *stream.Builder) {
	users := b.Table(topic.New(in2, serde.Bytes, serde.Bytes), state.New("users", serde.Bytes, serde.Bytes))
	b.Stream(clicks).
		JoinTable(users, click.with).
		To(topic.New(out, serde.Bytes, serde.Bytes))
}

// sessions (W6) counts the clicks of each visit.
func sessions(b *stream.Builder) {
	b.Stream(clicks).
		GroupByKey().
		SessionsBy(window.Session(30 * time.Second)).
		Count(state.New("visits", serde.Bytes, serde.Int64)).
		To(topic.New(out, visitSerde, serde.Int64))
}
