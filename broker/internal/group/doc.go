// Package group is the state machine of a classic consumer group: members,
// generations, rebalances and committed offsets.
//
// A [Group] is pure. Each method takes the time and a request and returns
// [Effects]: the answers to send (also to requests that arrived earlier and
// waited for a rebalance) and the records that make the change durable. It
// does no I/O, starts no timers and isn't safe for concurrent use; package
// coord owns it, appends the records, sends the answers, and calls Tick when
// NextDeadline has come. Replayed records rebuild a Group through Restore.
//
// The rules are those of Kafka's group coordinator, including its error codes.
package group
