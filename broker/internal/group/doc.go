// Package group is what all kinds of groups have in common, and the state machine
// of the classic kind: members, generations and rebalances.
//
// A [Group] holds committed offsets, and either the members of a classic group or a
// [Membership]: the members of a group to which the broker assigns partitions, made
// by packages consumer, streams and sharegroup. It may go from one to the other, and
// keeps its offsets.
//
// A Group is pure. Each method takes the time and a request and returns
// [Effects]: the answers to send (also to requests that arrived earlier and
// waited for a rebalance) and the records that make the change durable. It
// does no I/O, starts no timers and isn't safe for concurrent use; package
// coord owns it, appends the records, sends the answers, and calls Tick when
// NextDeadline has come. Replayed records rebuild a Group through Restore.
//
// The rules are those of Kafka's group coordinator, including its error codes.
package group
