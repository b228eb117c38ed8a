// Package stream is leat's DSL and its runtime: it builds topologies of typed
// operators over Kafka topics, and runs them.
//
// A topology begins with [Builder.Stream], [Builder.Table] or
// [Builder.GlobalTable] and is one typed chain from there:
//
//	var counting = stream.MustBuild(func(b *stream.Builder) {
//		b.Stream(lines).
//			FlatMapValues(strings.FieldsSeq).
//			GroupBy(func(_, word string) string { return word }, words).
//			Count(counts).
//			To(totals)
//	})
//
// Topics and stores are typed values, declared once (packages topic and state);
// every stateful operator is given the store it keeps, by name, so that editing
// a topology never renames the state of another part of it.
//
// Keys decide where a record goes: records with equal keys are in one
// partition, and are processed by one task, in the order of their timestamps.
// An operator that changes keys (Map, SelectKey, FlatMap, Process) therefore
// needs a repartition topic before one that relies on them; building a topology
// without one is an error that says where.
//
// [New] makes an [App] of a topology and a [Config]; [App.Run] joins the
// application's group, takes its share of the tasks and works until its context
// ends. Results are at least once. Package streamtest runs a topology without a
// broker; package broker is a broker to run it on.
//
// The package doesn't store bytes (package state and the engine below do), and
// knows nothing of the embedded broker.
package stream
