package topic

import "time"

// IdleAfter lets stream time go on while a topic is silent. Stream time moves with
// records; without any, windows stay open and results that wait for a window's end
// never come. When every source of a task has been silent for d of wall-clock time,
// the task's stream time goes on from the last record as fast as the clock does,
// until there is another one. A record that is older than that when it comes at
// last may be late.
//
// It is off by default, as in Kafka Streams. A source without it keeps the time of
// its tasks where it is.
func IdleAfter(d time.Duration) Option { return func(o *options) { o.idle = d } }

// Idle is the duration given to the option [IdleAfter], 0 without it.
func (t Topic[K, V]) Idle() time.Duration { return t.options.idle }
