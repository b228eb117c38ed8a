// Package coord runs the coordinators of groups, of transactions and of share
// partitions.
//
// Every group belongs to one partition of the offsets topic, and every such
// partition to one shard: a goroutine that owns the machines of its groups
// (package group), one step at a time. A step's records are appended to the
// shard's partition before its answers are given, and an answer is delivered
// once everything the shard had appended by then is durable, so that nobody
// sees state that a crash could take back. Starting a shard replays its
// partition.
//
// Transactional ids belong to the partitions of the topic of transactions, and
// their shards run the machine of package txn in the same way. A decision to
// end a transaction is durable before its markers are written, and the markers
// are before it is noted that they are; the answer comes in between, so that
// who is told of a commit finds its records. Markers are written by a goroutine
// of the transaction's own; those for the offsets topic go through the shard of
// that partition, which then counts the offsets. Shards of transactions wait for
// shards of groups, never the other way round.
//
// Share partitions belong to the partitions of the topic of share groups' state
// (package share). Their records build on one another: each is an update of the
// last snapshot, and the topic is pruned up to the oldest snapshot in use, not
// compacted. What members acknowledge is durable before they are told; what they
// acquire is not stored at all. These shards wait for nobody.
//
// The package decides when things happen and where they are stored; what
// happens is decided by packages group, txn and share, and by those of the kinds
// of groups.
package coord
