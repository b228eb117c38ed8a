package state

import (
	"time"

	"github.com/leatstream/leat/internal/topology"
)

// Option is a further property of a store.
type Option func(*options)

type options struct {
	history  time.Duration
	ttl      time.Duration
	wallTTL  bool
	capacity int
	inMemory bool
	unlogged bool
	onDemand bool
}

// Versioned keeps every version of a row for at least the given history, by the
// timestamps of what was put, so that a join can ask what the row was at the time
// of an event (KIP-889). It is for tables and for processors.
func Versioned(history time.Duration) Option {
	if history <= 0 {
		history = -1 // reported when the topology is built
	}
	return func(o *options) { o.history = history }
}

// History is for how long old versions are kept, 0 for a store that keeps the
// latest one only.
func (s Store[K, V]) History() time.Duration { return s.options.history }

// TTL gives each row a span of life by event time: it is gone when the task's
// stream time is d or more after the row's timestamp. Nobody sees it from then
// on; it is deleted in the changelog, tables tell of the deletion, and
// stream.Expired gives the rows that went. A write begins the span anew. Stream
// time stands still while no records come, so do rows.
//
// It is for key-value stores and the tables in them; windows and sessions have a
// retention instead. A table that is read from a topic gets a changelog of its
// own by it, since the topic isn't leat's to write deletions to.
func TTL(d time.Duration) Option {
	return func(o *options) { o.ttl, o.wallTTL = d, false }
}

// WallClockTTL is [TTL] by the time of day: a row is gone when d has passed since
// it was written, whatever its timestamp. The time of writing is kept with the
// row, so a restart doesn't make it younger.
func WallClockTTL(d time.Duration) Option {
	return func(o *options) { o.ttl, o.wallTTL = d, true }
}

// LRU bounds a key-value store to n rows for each task: where one more is
// written, that which was not read or written for the longest time is deleted, in
// the changelog too. After a restart the order begins anew with the rows'
// timestamps.
func LRU(n int) Option {
	return func(o *options) { o.capacity = n }
}

// InMemory keeps the store in memory only, instead of on disk. With a changelog,
// as usual, it is restored from there at every start; so it suits small stores,
// and disks that are slow or not there.
func InMemory() Option {
	return func(o *options) { o.inMemory = true }
}

// Unlogged leaves the changelog out: what is in the store is lost with the disk,
// and a task that moves to another instance begins with an empty store. With
// [InMemory] it is lost with the process. Use it for what can be computed anew.
func Unlogged() Option {
	return func(o *options) { o.unlogged = true }
}

// lay writes what the options say into a store of a topology.
func (o *options) lay(s *topology.Store) {
	s.TTL, s.WallTTL, s.Capacity, s.InMemory = o.ttl, o.wallTTL, o.capacity, o.inMemory
	s.OnDemand = o.onDemand
	if o.unlogged {
		s.Logging = topology.Unlogged
	}
}

// wrong says why the options don't suit a store of that kind, "" if they do.
func (o *options) wrong(kind topology.StoreKind) string {
	lifespan := o.ttl != 0 || o.capacity != 0
	switch {
	case o.ttl < 0 || o.capacity < 0 || o.history < 0:
		return "a span of life, a history and a number of rows must be positive"
	case o.ttl > 0 && o.ttl < time.Millisecond:
		return "a span of life is at least a millisecond"
	case lifespan && kind != topology.KeyValue:
		return "TTL and LRU are for key-value stores; this one is a " + string(kind) + " store, whose rows go when their retention is over"
	case o.history > 0 && o.history < time.Millisecond:
		return "a history is at least a millisecond"
	case o.history > 0 && kind != topology.Versioned:
		return "state.Versioned is for stores of Table, ToTable, Materialize and processors; this one is the " + string(kind) + " store of another operator, so leave it out, and put .Apply(stream.FromTable).ToTable(versioned) after that if its results are to have a history"
	case lifespan && o.history > 0:
		return "a versioned store keeps rows by its history; leave TTL and LRU out"
	case o.ttl > 0 && o.capacity > 0:
		return "a store has a TTL or an LRU, not both"
	}
	return ""
}
