// Package segment is one file of a log, in Kafka's layout: batches one after
// the other in <base>.log, and beside it the sparse indexes <base>.index (from
// offset to position) and <base>.timeindex (from time to offset), where <base>
// is the offset of the first record in 20 digits.
//
// A [Segment] appends at its end, finds offsets and times, and after a crash
// cuts off what is not a whole batch. Which segments make up a log, when a new
// one begins and which may go is the partition's to say.
package segment
