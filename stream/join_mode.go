package stream

import (
	"slices"
	"time"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
)

// TableJoin says what a join of a stream with a table means: which state of the
// row a record is joined with.
type TableJoin func(*tableJoinOptions)

type tableJoinOptions struct {
	latest, asOf, first bool
	graced              bool
	grace               time.Duration
	buffer              state.Declared
}

// JoinLatest joins a record with the row as it is when the record is processed,
// whatever their times. It is the default for a table that isn't versioned.
func JoinLatest() TableJoin { return func(o *tableJoinOptions) { o.latest = true } }

// JoinAsOf joins a record with the row as it was at the record's time, so that
// the result doesn't depend on when the record came. It is the default for a
// versioned table (state.Versioned), and for tables that Filter and MapValues
// derive from one; with any other table it is an error.
func JoinAsOf() TableJoin { return func(o *tableJoinOptions) { o.asOf = true } }

// JoinTableFirst reads the table to its end, as of the start of the task, before
// it takes the first record of the stream: a record finds a row that was written
// with a later timestamp. Without it a task takes records in the order of their
// timestamps. What is written to the table later comes in that order. The table
// must be read from topics, and the stream not from the same ones.
func JoinTableFirst() TableJoin { return func(o *tableJoinOptions) { o.first = true } }

// JoinGrace lets records wait until stream time, that of the stream's records at
// this join, has passed their own by the grace period (KIP-923): a row that comes
// late by less is found by the records it was for. They go on in the order of their
// times, then of their encoded keys; a record that is late by more is joined at
// once. It needs a versioned table whose history is at least the grace period.
//
// The records that wait are kept in the declared store, on disk where they are
// many, and in its changelog. A record without a key, which no row can come for,
// doesn't wait; in Kafka Streams it ends the app.
func JoinGrace[K, V any](grace time.Duration, buffer state.Store[K, V]) TableJoin {
	return func(o *tableJoinOptions) { o.graced, o.grace, o.buffer = true, grace, buffer }
}

// tableJoinOf settles what a join means, and reports what can't be.
func tableJoinOf(b *dsl.Builder, at, op string, how []TableJoin, t *topology.Node, versioned bool) *tableJoinOptions {
	o := &tableJoinOptions{}
	for _, h := range how {
		h(o)
	}
	const fix = "declare its store with state.Versioned(history)"
	switch {
	case o.latest && o.asOf:
		b.Fail(at, "%s can't join with the latest row and with the row as of the record's time; leave out stream.JoinLatest or stream.JoinAsOf", op)
	case o.graced && o.latest:
		b.Fail(at, "%s with stream.JoinGrace joins with the row as of the record's time; leave out stream.JoinLatest", op)
	case o.graced && !versioned:
		b.Fail(at, "%s with stream.JoinGrace asks what rows were, which the table made by %s at %s doesn't keep; %s", op, t.Label(), t.At, fix)
	case o.asOf && !versioned:
		b.Fail(at, "%s with stream.JoinAsOf asks what rows were, which the table made by %s at %s doesn't keep; %s", op, t.Label(), t.At, fix)
	case o.graced && o.grace < 0:
		b.Fail(at, "%s: the grace period of stream.JoinGrace is negative: %v", op, o.grace)
	}
	o.asOf = versioned && !o.latest
	if !o.graced {
		return o
	}
	if h := history(t); h > 0 && h < o.grace {
		b.Fail(at, "%s has a grace period of %v, but the table keeps a history of %v only; give state.Versioned at least the grace period", op, o.grace, h)
	}
	return o
}

// history is that of the versioned table which t is, or is derived from.
func history(t *topology.Node) time.Duration {
	for _, st := range t.Stores {
		if st.Kind == topology.Versioned {
			return st.Retention
		}
	}
	if len(t.Inputs) == 0 {
		return 0
	}
	return history(t.Inputs[0])
}

// tableFirst marks the sources of a table to be read before others.
func tableFirst(b *dsl.Builder, at, op string, s, t *topology.Node) {
	of := sources(s, nil)
	for _, src := range sources(t, nil) {
		switch {
		case slices.ContainsFunc(of, func(n *topology.Node) bool { return n.Topic == src.Topic }):
			b.Fail(at, "%s with stream.JoinTableFirst needs a table that is read from other topics than the stream, but both come from %q; leave it out, or write the table to a topic of its own and read that with Builder.Table", op, src.Topic.Name)
		case src.Topic.Role == topology.Repartition:
			b.Fail(at, "%s with stream.JoinTableFirst can't know the end of repartition topic %q, which this app still writes; write the table to a topic of its own and read that with Builder.Table", op, src.Topic.Name)
		default:
			src.First = true
		}
	}
}

// sources are those of the topics that a node's task reads for it.
func sources(n *topology.Node, found []*topology.Node) []*topology.Node {
	if n.Kind == topology.Source {
		return append(found, n)
	}
	for _, in := range n.Inputs {
		found = sources(in, found)
	}
	return found
}
