package settings

import (
	"slices"
	"strings"
)

// Brokers are the broker's settings, by name: all that Kafka 4.3 has, and this
// broker's own, which begin with "leat.".
var Brokers = func() []Def {
	all := slices.Concat(brokersNetwork, brokersLog, brokersGroups, brokersCluster, brokersOwn)
	slices.SortFunc(all, func(a, b Def) int { return strings.Compare(a.Name, b.Name) })
	return all
}()

// legacy are the settings of older versions of Kafka, without effect in new
// ones and here.
var legacy = []string{
	"control.plane.listener.name", "inter.broker.protocol.version", "log.message.format.version",
	"log.message.timestamp.difference.max.ms", "log.message.downconversion.enable", "offsets.topic.compression",
	"password.encoder.secret", "port", "host.name", "reserved.broker.max.id", "broker.id.generation.enable",
}
