package stream

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// RepartitionAll is Repartition for records without a key too, which it sends to
// any partition. Put it before a left or outer join that is to have a result for
// them; what else relies on keys drops and counts them.
func (s Stream[K, V]) RepartitionAll(via topic.Topic[K, V]) Stream[K, V] {
	at := dsl.Caller()
	d := s.def()
	dsl.SinkAll(d, via, "RepartitionAll", at)
	return streamOf(dsl.Source(d.B, via, topology.Repartition, "Repartitioned", at))
}
