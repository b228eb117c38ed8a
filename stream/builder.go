package stream

import (
	"fmt"

	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// Builder collects the operators of a topology. It is valid only in the
// function that [Build] calls, and not safe for concurrent use.
type Builder struct{ b *dsl.Builder }

// Topology is a checked, immutable topology. One may be run by many apps and
// test drivers at once.
type Topology struct{ plan *task.Plan }

// Build calls f to add operators and returns the topology, or every mistake in
// it, joined. Each is a *[BuildError] with the place of the offending call.
func Build(f func(*Builder), opts ...Option) (*Topology, error) {
	b := dsl.NewBuilder()
	for _, o := range opts {
		o(b)
	}
	f(&Builder{b})
	if err := b.Plan.Graph.Check(); err != nil {
		return nil, fmt.Errorf("build topology: %w", err)
	}
	b.Plan.LikeKafka = b.LikeKafka
	return &Topology{b.Plan}, nil
}

// Option changes how a topology is built.
type Option func(*dsl.Builder)

// LikeKafka makes every operator answer as Kafka Streams 4.3 does, where leat
// does better by default: docs/semantics.md lists the differences. It is for
// comparing the two, and for an app that relies on what Kafka Streams does.
func LikeKafka() Option { return func(b *dsl.Builder) { b.LikeKafka = true } }

// MustBuild is Build for package variables: it panics if the topology is wrong.
func MustBuild(f func(*Builder), opts ...Option) *Topology {
	t, err := Build(f, opts...)
	if err != nil {
		panic(err)
	}
	return t
}

// BuildError is one mistake in a topology: At is the file and line of the call,
// Problem says what is wrong with it and how to mend it.
type BuildError = topology.BuildError

// Describe prints the topology: its sub-topologies, and for each node its
// topic, its stores and the nodes after it. The text is the same for the same
// topology, so it can be kept in a file and compared before a deploy.
func (t *Topology) Describe() string { return t.plan.Graph.Describe() }

// String is Describe.
func (t *Topology) String() string { return t.Describe() }

// Plan is for leat's own packages.
func (t *Topology) Plan() *task.Plan { return t.plan }

// Stream reads a topic as a stream of records; of several topics, or of those that
// a pattern stands for ([topic.Matching]), it is the records of all of them, as by
// [Stream.Merge]. Reading a topic twice gives the same stream twice. A record
// without a value is dropped and counted, reason "null-value", unless V is a type
// with a nil.
//
// Where reading begins, and what the records' timestamps are, is declared with the
// topic: see [topic.FromLatest] and [topic.Topic.TimestampedBy].
func (b *Builder) Stream[K, V any](from topic.Topic[K, V], more ...topic.Topic[K, V]) Stream[K, V] {
	at := dsl.Caller()
	s := streamOf(dsl.Source(b.b, from, topology.External, "Stream", at))
	if len(more) == 0 {
		return s
	}
	others := make([]Stream[K, V], len(more))
	for i, t := range more {
		others[i] = streamOf(dsl.Source(b.b, t, topology.External, "Stream", at))
	}
	return s.Merge(others...)
}
