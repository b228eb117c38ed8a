// Package task runs one partition of a sub-topology: it queues fetched
// records, takes the one with the lowest timestamp, drives it through the
// nodes, fires punctuations, and hands out what a commit needs.
//
// A task does no I/O of its own and has no goroutine and no lock: the worker
// that owns it (or the test driver) calls it, feeds it and carries its output
// away. It knows bytes, names and times; the typed nodes hang themselves into
// it when it is made.
package task
