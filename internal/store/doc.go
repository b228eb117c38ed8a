// Package store keeps the bytes of a task's state stores.
//
// One DB holds all stores of one task; a store is told apart by the two-byte
// prefix (ID) in front of its keys. There are two implementations with the same
// meaning: Open keeps a small Badger database in a directory, NewMem keeps
// sorted blocks in memory.
//
// The changelog topic is the truth, a DB is a copy of it that can be thrown
// away. What a DB promises is therefore only this: the offset that Checkpoint
// returns is never ahead of the data. Replaying the changelog from there gives
// the right state, whatever happened:
//
//   - A Write puts the checkpoints behind the data, and the write-ahead log is
//     replayed in order. After the process was killed, a checkpoint that is
//     there has all its data before it.
//   - After a power cut the page cache is gone and a log may have a hole in the
//     middle, which Badger cannot see. Then, and it is known by the boot id, the
//     offsets of the last safe checkpoint are used: those that were noted after
//     all files had been synced.
//   - A database that cannot be opened is wiped, and Opened says why.
//
// The package knows nothing of types, windows, caches or changelogs, and does
// not write one: see packages state, task and changelog. It is the only one
// that imports Badger.
//
// # Constant versions
//
// Badger keeps versions of keys; leat always writes version 1. This halves the
// cost of reads and writes, but makes the age of a table depend on its place in
// level 0 alone. Badger's compaction of level 0 into itself forgets this order
// (it sorts the tables by their smallest key, and numbers the merged table as the
// newest), so it must never happen. It needs four tables; the options allow three,
// Close waits until there is room for its last one, and Open compacts a database
// that a killed process left with more before anything else.
package store
