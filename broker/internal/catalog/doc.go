// Package catalog is what the broker knows besides records: which topics
// there are, their ids, partitions and configs, the cluster's id, which
// producer ids have been given out, and what is stored about users, access
// control lists and quotas ([Security]).
//
// A [Catalog] keeps it in one file of the data directory, replaced atomically,
// and opens the log of each partition. Readers use an [Image], which never
// changes; a change publishes a new one. The package has no opinion on who may
// change what, and doesn't know the protocol's requests.
package catalog
