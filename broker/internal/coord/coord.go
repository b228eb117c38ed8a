package coord

import (
	"errors"
	"log/slog"
	"math"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/internal/clock"
)

// ErrClosed is returned for requests that come while the broker stops.
var ErrClosed = errors.New("the coordinator is closed")

// Options configures the coordinators. All fields but Rebalanced are required.
type Options struct {
	Catalog *catalog.Catalog
	Clock   clock.Clock
	Log     *slog.Logger
	Group   group.Config
	// Rebalanced is told of each rebalance, if it isn't nil.
	Rebalanced func(group.Kind)
}

// Groups runs the coordinators of all groups. It is safe for concurrent use.
type Groups struct {
	sharded[*shard]
	opt Options
}

// Start starts the coordinators and replays their groups. Without an offsets
// topic there is nothing to start: the first request for a group creates it.
func Start(o Options) (*Groups, error) {
	c := &Groups{opt: o, sharded: sharded[*shard]{
		catalog: o.Catalog, topic: catalog.ConsumerOffsets, compression: "producer",
		open: func(log *partition.Log) *shard { return newShard(o, log) },
	}}
	if err := c.resume(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// javaHash is the hash that Kafka finds a group's partition with, so that a
// copied offsets topic is read right: the magnitude of a Java string's hash.
func javaHash(s string) uint32 {
	var h int32
	for _, u := range utf16.Encode([]rune(s)) {
		h = 31*h + int32(u)
	}
	if h == math.MinInt32 {
		return 0
	}
	return uint32(max(h, -h))
}

// notStored is the error code for a step that could not be stored: clients try
// again.
var notStored = kerr.CoordinatorNotAvailable.Code
