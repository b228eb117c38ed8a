package state

import "time"

// Option is a further property of a store.
type Option func(*options)

type options struct {
	history time.Duration
}

// Versioned keeps every version of a row for at least the given history, by the
// timestamps of what was put, so that a join can ask what the row was at the time
// of an event (KIP-889). It is for tables and for processors.
func Versioned(history time.Duration) Option {
	return func(o *options) { o.history = history }
}

// History is for how long old versions are kept, 0 for a store that keeps the
// latest one only.
func (s Store[K, V]) History() time.Duration { return s.options.history }
