// Package coord runs the group coordinators.
//
// Every group belongs to one partition of the offsets topic, and every such
// partition to one shard: a goroutine that owns the machines of its groups
// (package group), one step at a time. A step's records are appended to the
// shard's partition before its answers are given, and an answer is delivered
// once everything the shard had appended by then is durable, so that nobody
// sees state that a crash could take back. Starting a shard replays its
// partition.
//
// The package decides when things happen and where they are stored; what
// happens is decided by package group.
package coord
