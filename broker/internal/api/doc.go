// Package api is what each request of the Kafka protocol means to this broker.
//
// There is one file for each API, named by its key; the comment at its top
// tells the versions served and what they do. The table in versions.go is the
// truth that ApiVersions answers with. Handlers decode nothing themselves
// (except Produce) and store nothing themselves: topics are package catalog's,
// records package partition's, groups package coord's.
package api
