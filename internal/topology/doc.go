// Package topology is the untyped graph of an application: its nodes, topics
// and stores, how it falls apart into sub-topologies, how many partitions each
// internal topic needs, and how it is printed.
//
// It knows names and counts only. What a node does with a record is held
// beside it, by internal/dsl, as typed closures.
package topology
