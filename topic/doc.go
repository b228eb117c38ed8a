// Package topic declares Kafka topics: a name and the serdes of what is in it.
//
// A [Topic] is declared once, mostly as a package variable, and used to build,
// to process and to test:
//
//	var totals = topic.New("totals", serde.String, serde.Int64)
//
// Declaring one neither talks to a broker nor creates anything; mistakes in it
// are reported when a topology is built with it.
package topic
