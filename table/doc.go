// Package table is the table half of leat's DSL: what is known of each key now.
//
// Tables come from package stream: [stream.Builder.Table] reads a topic as one,
// and the aggregations of a grouped stream make one. A table tells the operators
// after it of every change of a row, with what the row was before where they
// need it.
//
//	counts.Filter(big).To(topic)
//
// A table becomes a stream by a function, not by a method:
//
//	counts.Apply(stream.FromTable).SelectKey(byCountry).To(out)
//
// Package table doesn't import stream, and it doesn't keep rows itself: they
// are in the stores that the operators were given.
package table
