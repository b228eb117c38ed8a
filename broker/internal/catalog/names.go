package catalog

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
)

// Names of topics that the broker keeps for itself.
const (
	ConsumerOffsets  = "__consumer_offsets"
	TransactionState = "__transaction_state"
	ShareGroupState  = "__share_group_state"
)

// Internal says whether the topic is one that the broker keeps for itself.
func Internal(name string) bool {
	return name == ConsumerOffsets || name == TransactionState || name == ShareGroupState
}

// maxName leaves room for the partition in a directory's name.
const maxName = 249

// CheckName returns an error with Kafka's code if name can't be a topic's.
func CheckName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "the empty string is not allowed"
	case name == "." || name == "..":
		why = fmt.Sprintf("'%s' is not allowed", name)
	case len(name) > maxName:
		why = fmt.Sprintf("the length of '%.60s...' is longer than the max allowed length %d", name, maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !legal(r) }):
		why = fmt.Sprintf("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	default:
		return nil
	}
	return batch.Errorf(kerr.InvalidTopicException, "Topic name is invalid: %s", why)
}

func legal(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-'
}

// metricName is the name under which metrics systems see the topic: two topics
// must not share one.
func metricName(topic string) string { return strings.ReplaceAll(topic, ".", "_") }
