// Package cache is the typed state of a task: stores that hold values as Go
// values in memory, write them behind into the task's database, and log them to
// their changelogs.
//
// A value is decoded once when it is first needed and encoded once for each
// commit in which it changed; the same bytes go to the changelog and to the
// database. Changed entries stay in memory until the commit is through, so what
// the database holds is always a state that was committed.
//
// KeyValue is the store of tables and windows, Rows that of sessions and of
// stream-stream joins, where a key has many cells in order of time. Both are
// keyed by encoded bytes: any type may be a key, and two keys are equal if they
// are the same record key to Kafka.
package cache
