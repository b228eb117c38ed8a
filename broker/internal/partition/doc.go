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
// # Offsets
//
// At any moment, log start <= last stable offset <= high watermark <= log end.
// None of them ever moves back while the log is open. Without [Fsync] the high
// watermark is the log end, since what was written is as durable as it gets; with
// it, it follows the syncs: the log's own, or those of the journal that its
// [Syncer] keeps for all logs. A batch above it is invisible: to reads, to waits,
// and to a producer that sends it again, who is told its offset but must wait for
// the high watermark as well.
//
// # Files
//
// A batch is written to the active segment by one write(2) before Append
// returns, with the log locked. Should that fail, the file is cut back and the
// log is as if nothing had happened. Should a sync fail, the log takes nothing
// more: the kernel may have dropped what it could not write, and would call a
// second sync a success. With each round of retention it reads back what isn't
// known to be on the disk, checks it and writes it again; once that succeeds it
// takes records again.
//
// Segments and indexes are Kafka's, so that its tools can read them. Beside
// them lie
//
//	checkpoint               recovery point, log start, how far compaction got
//	<base>.txnindex          aborted transactions of a segment, in Kafka's format
//	leader-epoch-checkpoint  in Kafka's format; none as long as the epoch is 0
//	<offset>.snapshot        the producers' state at that offset
//
// Only the first two are indispensable, and they are replaced atomically. Other
// indexes and snapshots are written without a sync and checked when they are
// read.
//
// # Transactions
//
// A producer's transaction begins with its first batch here and ends with a
// marker, a control batch that its coordinator has the log append ([Log.EndTxn]).
// The last stable offset is that of the first batch whose transaction is open,
// or whose marker the high watermark has not passed. A batch may only begin a
// transaction that the coordinator knows to be open here, or nobody would ever
// end it: [Log.BeginTxn] hands out a guard before the coordinator is asked, and
// a marker that comes meanwhile takes it back.
//
// Readers of committed records get the batches of aborted transactions too,
// and a list to tell them by. It is kept in memory, and for each segment in its
// .txnindex, which has to be durable before the recovery point passes it; what
// comes after is found again when the log is opened.
//
// # Recovery
//
// Everything before the recovery point was synced and is believed. What comes
// after is checked batch by batch, and the log ends before the first batch
// that is torn, damaged or missing; later segments are removed. Appends after
// the recovery point go to the same file at the same place, so no mark of an
// orderly stop is needed: if the log ends at the recovery point there is
// nothing to check. That records may have vanished without a trace is for the
// broker to know, see [Options.Unclean].
//
// # Compaction
//
// The copy of a group of segments is complete and synced before it is named
// .swap; from then on a restart finishes the replacement, before it forgets
// the copy. A copy ends with the last batch of its group, if need be without
// records, so that its name and its end tell which segments it replaces.
//
// Nothing from the last stable offset on is touched. Records of aborted
// transactions go at once, and a marker when no batch of its transaction is
// left and delete.retention.ms have passed. Of each producer the last batch
// stays, or a marker with its epoch, by which it is known after a restart.
//
// # Locks
//
// Each Log has two: clean orders maintenance (retention, compaction, flushing)
// and is taken before mu, which guards all that appends and reads touch. No
// log ever holds both its own and another log's.
package partition
