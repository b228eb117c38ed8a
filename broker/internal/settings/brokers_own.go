package settings

import "github.com/twmb/franz-go/pkg/kmsg"

// brokersOwn are the settings that Kafka doesn't have.
var brokersOwn = []Def{
	{Name: "leat.durability", Type: kmsg.ConfigTypeString, Default: "os", Note: "what an acknowledgement promises: os, fsync, or a duration such as 50ms"},
	{Name: "leat.login.timeout.ms", Type: kmsg.ConfigTypeLong, Default: "15000", Min: 1, Note: "connections that haven't logged in after so long are closed"},
	{Name: "leat.max.in.flight", Type: kmsg.ConfigTypeInt, Default: "32", Min: 1, Note: "requests of one connection that are worked on at a time"},
	{Name: "leat.max.partitions", Type: kmsg.ConfigTypeInt, Default: "100000", Min: 1, Note: "partitions of all topics"},
}
