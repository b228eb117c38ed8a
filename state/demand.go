package state

// OnDemand marks the store of a table for which Kafka Streams would have been
// given no Materialized. leat keeps the rows in any case, and by default the option
// changes nothing. With stream.LikeKafka such a table doesn't tell a Filter after
// it what a row was before, unless an operator that needs it was added earlier: as
// in Kafka Streams, the Filter then writes a deletion for each row that it leaves
// out, whether that was ever in or not.
func OnDemand() Option { return func(o *options) { o.onDemand = true } }
