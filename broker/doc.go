// Package broker is a Kafka-protocol broker that runs inside a Go program.
//
// Start opens (or creates) a data directory, or keeps everything in memory,
// and serves the Kafka protocol to any client: through [Broker.Dial] inside
// the process, and, if Config.Listen names an address, through TCP. The bytes
// on the wire and in the segments of a log are Kafka's own, so clients, tools
// and dumps written for Kafka work.
//
// The broker is one node. It has no replication; a topic's replication factor
// is 1. What an acknowledgement promises is told by [Durability]. Programs
// that outgrow one node move to a Kafka cluster without changing their client
// code.
//
// The package only assembles parts: the log of a partition, the coordinators,
// the protocol and the catalog of topics are packages below internal. It is
// not a client; any Kafka client is, for instance franz-go:
//
//	b, err := broker.Start(broker.Config{})
//	...
//	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial))
package broker
