package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/state"
)

// Expired is the stream of the rows of a store that go by themselves: those whose
// life is over, by [state.TTL] or [state.WallClockTTL], and those that make room for
// others, by [state.LRU]. It is called after the operator that the store belongs to.
//
//	b.Stream(logins).ToTable(sessions)
//	b.Expired(sessions).To(loggedOut)
//
// Each row comes once, with its last value, no headers, and the time at which it
// went: by event time the row's timestamp plus its span of life, by wall clock that
// moment of the day, and with an LRU the row's timestamp. Rows go in order of that
// time and of their encoded keys. Stream time moves it all by event time: the rows
// that died go right after the record that moved it. A record that is processed
// again after a crash makes rows go again that went since the last commit. Rows
// that are deleted are not in it.
func (b *Builder) Expired[K, V any](of state.Store[K, V]) Stream[K, V] {
	return streamOf(dsl.Expired[K, V](b.b, of.Name(), dsl.Caller()))
}
