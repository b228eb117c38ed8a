// Package segment is one file of a log, in Kafka's layout: batches one after
// the other in <base>.log, and beside it the sparse indexes <base>.index (from
// offset to position) and <base>.timeindex (from time to offset), where <base>
// is the offset of the first record in 20 digits.
//
// A [Segment] appends at its end, finds offsets and times, and after a crash
// cuts off what is not a whole batch. Which segments make up a log, when a new
// one begins and which may go is the partition's to say.
//
// # Indexes
//
// An entry is made about every interval of bytes. In <base>.index it is the
// last offset of a batch, relative to the base, and where that batch begins (4
// bytes each); in <base>.timeindex the largest timestamp so far (8 bytes) and
// the last offset of the batch that has it (4 bytes). A look-up takes the entry
// before what is wanted and walks the headers from there.
//
// The indexes of a segment that is appended to are in memory. Those of a full
// one are written once, and read back when somebody looks something up that
// is long past. They are never synced and never trusted: the last entry must point
// to a batch that ends with its offset, and what does not fit is made anew
// from the headers of all batches.
package segment
