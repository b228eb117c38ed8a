// Package mirror copies topics from one Kafka cluster to another.
//
// Records keep their partition, key, value, headers and timestamp. They are
// written in transactions, and so is, in the same ones, how far the source was
// copied: whoever reads the target with read_committed finds each record once,
// wherever the mirror, a cluster or the network between them was cut off. The
// offsets that consumer groups have committed are translated to the target's.
//
// Offsets themselves differ between the clusters, and a transaction of the
// source isn't one at the target: its records are copied once it is committed.
//
// It is a way to back up and to move clusters, and to gather what edge boxes
// have written while they were off-line. It replicates in one direction, and
// only what happens at the source: what others write to the copied topics at
// the target stays there, between the copies.
package mirror
