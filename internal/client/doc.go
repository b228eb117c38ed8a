// Package client is the way to a Kafka cluster, and the only package of leat's
// streaming half that imports a Kafka client library.
//
// It has four parts, and each opens connections of its own:
//
//   - Producer and its Sessions write records, and know for every task which
//     of its own records are acknowledged. It also is an Admin.
//   - Admin asks for topics and offsets and creates topics.
//   - Group is the member of a consumer group that shares tasks out: it polls
//     records of the partitions that it was assigned, and commits offsets.
//   - Reader reads partitions that nobody assigns: changelogs, global tables.
//
// It isn't a general client: it knows of partitions and records as bytes, has
// no retry loops above what the library does (except where said), and doesn't
// know what a task is. What can't be decided here is passed in as a function.
package client
