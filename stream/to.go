package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// To writes the records to a topic, which must exist. Equal keys go to the same
// partition, chosen as Kafka's own clients do; records without a key are spread.
// [topic.Topic.PartitionedBy] and [topic.Topic.SpreadBy] choose otherwise.
func (s Stream[K, V]) To(to topic.Topic[K, V]) {
	dsl.Sink(s.def(), to, topology.External, "To", dsl.Caller())
}

// ToTopics writes each record to the topic that name returns for it, one of those
// that family stands for; a name that it doesn't match fails the record.
//
//	var regions = topic.Matching("orders-.*", serde.String, serde.JSON[Order]())
//
//	orders.ToTopics(regions, func(_ string, o Order) string { return "orders-" + o.Region })
//
// The topics must exist; leat doesn't look for them before a record is written.
// Kafka Streams calls it a topic name extractor. For a name that depends on
// headers use Process first.
func (s Stream[K, V]) ToTopics(family topic.Topic[K, V], name func(key K, value V) string) {
	dsl.TopicsSink(s.def(), family, name, dsl.Caller())
}

// Repartition sends the records through a topic of leat's own, so that equal
// keys meet in one task. The topic is named
// `<application id>-<name>-repartition`, is made when the app starts, with as
// many partitions as the topics that feed it unless topic.Partitions says
// otherwise, and records leave it once they are processed. Records without a
// key are dropped and counted.
func (s Stream[K, V]) Repartition(via topic.Topic[K, V]) Stream[K, V] {
	at := dsl.Caller()
	d := s.def()
	dsl.Sink(d, via, topology.Repartition, "Repartition", at)
	return streamOf(dsl.Source(d.B, via, topology.Repartition, "Repartitioned", at))
}

// GroupBy gives each record the key that f returns, sends it through the
// repartition topic via, and groups it there.
func (s Stream[K, V]) GroupBy[KR any](f func(K, V) KR, via topic.Topic[KR, V]) Grouped[KR, V] {
	return Grouped[KR, V]{s.SelectKey(f).Repartition(via).def(), dsl.OnCommit}
}

// GroupByKey groups the records by their key. The stream must be partitioned by
// it: after an operator that changed the key use GroupBy, or put Repartition
// before.
func (s Stream[K, V]) GroupByKey() Grouped[K, V] {
	d := s.def()
	if d.Rekeyed != "" {
		d.B.Fail(dsl.Caller(), "GroupByKey needs records partitioned by their key, but %s changed it; put .Repartition(topic) before, or use GroupBy", d.Rekeyed)
	}
	return Grouped[K, V]{d, dsl.OnCommit}
}
