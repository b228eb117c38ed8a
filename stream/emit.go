package stream

import (
	"time"

	"github.com/leatstream/leat/internal/dsl"
)

// EmitEvery makes the aggregation tell of its rows at most every d, by the wall
// clock: of each row that changed since the last time, its last value. What waits
// is in a store of its own, named after the aggregation's with "-pending", with a
// changelog: a crash loses nothing. Rows come in the order in which they first
// changed, with the timestamp and the headers of their last change.
//
// Kafka Streams has no such thing: there the size of a cache decides.
func (g Grouped[K, V]) EmitEvery(d time.Duration) Grouped[K, V] {
	g.emit = dsl.Every(d)
	return g
}

// EmitOnClose makes the aggregation tell of each window once, when it is closed:
// when stream time has passed its end and its grace, and no record can change it
// any more (KIP-825). Windows that close at one moment come in order of their
// starts, then of their encoded keys, with the headers of the record that moved
// stream time on, and before the results of that record.
//
// Every window that got a record is told of, exactly once, whatever gaps there
// are in time and whatever restarts; Kafka Streams loses those that a jump of
// time takes out of the store's retention before it has looked for them. Which
// windows are open is in a store of its own, named after the aggregation's with
// "-open", with a changelog.
//
// Under [LikeKafka] the table has Kafka's cache, in which windows outlive the
// retention and are not lost; EmitOnUpdate before EmitOnClose leaves it out.
//
// It is an error for windows that never end.
func (w Windowed[K, V]) EmitOnClose() Windowed[K, V] {
	if w.w.Endless() {
		w.g.in.B.Fail(dsl.Caller(), "EmitOnClose can't tell of %v: it never closes; leave EmitOnClose out, or use windows that end", w.w)
	}
	w.g.emit = w.g.emit.OnClose()
	return w
}

// EmitOnClose is [Windowed.EmitOnClose] for sliding windows.
func (s Slid[K, V]) EmitOnClose() Slid[K, V] {
	s.g.emit = s.g.emit.OnClose()
	return s
}

// EmitOnClose is [Windowed.EmitOnClose] for sessions: one is told of when stream
// time has passed its end, the gap and the grace. Those that close at one moment
// come in order of their ends, then of their starts, then of their encoded keys.
// Sessions that became one with another are not told of.
func (s Sessioned[K, V]) EmitOnClose() Sessioned[K, V] {
	s.g.emit = s.g.emit.OnClose()
	return s
}

// CloseInterval is, under [LikeKafka], how often at most a table that emits on
// close looks for windows that are closed, by the wall clock; Kafka Streams does
// so every second. Without LikeKafka it changes nothing: leat knows when the next
// window closes, and needs no look.
func CloseInterval(d time.Duration) Option {
	return func(b *dsl.Builder) { b.CloseIntervalMS = d.Milliseconds() }
}
