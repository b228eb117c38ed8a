// Package partition is the log of one partition: batches appended at the end,
// read from any offset, trimmed at the start by retention and thinned in the
// middle by compaction.
//
// A [Log] owns one directory of segments in Kafka's layout, knows each
// producer's recent batches so that a retry is not stored twice, and keeps the
// high watermark: the offset up to which the chosen [Durability] is reached,
// and beyond which nobody but the log sees anything. It does not know who may
// read or write, which partitions exist, or how requests look on the wire.
//
// # Locks
//
// Each Log has two: clean orders maintenance (retention, compaction, flushing)
// and is taken before mu, which guards all that appends and reads touch. No
// log ever holds both its own and another log's.
package partition
