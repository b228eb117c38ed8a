package coord

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/internal/clock"
)

// ErrClosed is returned for requests that come while the broker stops.
var ErrClosed = errors.New("the coordinator is closed")

// shards is the number of partitions of each internal topic when it is created.
// Kafka's 50 are meant for clusters: each is a directory and a goroutine here.
const shards = 4

// Options configures the coordinators. All fields are required.
type Options struct {
	Catalog *catalog.Catalog
	Clock   clock.Clock
	Log     *slog.Logger
	Group   group.Config
}

// Groups runs the coordinators of all groups. It is safe for concurrent use.
type Groups struct {
	opt Options

	mu     sync.Mutex // held while the shards start or stop
	shards []*shard   // set once
	closed bool
	ready  chan struct{} // closed when shards is set
}

// Start starts the coordinators and replays their groups. Without an offsets
// topic there is nothing to start: the first request for a group creates it.
func Start(o Options) (*Groups, error) {
	c := &Groups{opt: o, ready: make(chan struct{})}
	if t := o.Catalog.Image().Topic(catalog.ConsumerOffsets); t != nil {
		if err := c.start(t); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return c, nil
}

func (c *Groups) start(t *catalog.Topic) error {
	var list []*shard
	for p, log := range t.Logs {
		s := newShard(c.opt, log)
		if err := s.replay(); err != nil {
			return fmt.Errorf("replay partition %d of %s: %w", p, t.Name, err)
		}
		list = append(list, s)
	}
	for _, s := range list {
		go s.loop()
	}
	c.shards = list
	close(c.ready)
	return nil
}

// Ensure makes the offsets topic and its shards if they are missing.
func (c *Groups) Ensure() error {
	select {
	case <-c.ready:
		return nil
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.shards != nil:
		return nil
	}
	t := c.opt.Catalog.Image().Topic(catalog.ConsumerOffsets)
	if t == nil {
		made, errs := c.opt.Catalog.Create([]catalog.NewTopic{internalTopic(catalog.ConsumerOffsets, "producer")})
		if errs[0] != nil {
			return fmt.Errorf("create %s: %w", catalog.ConsumerOffsets, errs[0])
		}
		t = made[0]
	}
	return c.start(t)
}

// Close stops the shards. Calls that wait fail with ErrClosed.
func (c *Groups) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range c.shards {
		s.stop()
	}
	return nil
}

// of returns the shard that a group belongs to.
func (c *Groups) of(groupID string) (*shard, error) {
	if err := c.Ensure(); err != nil {
		return nil, err
	}
	return c.shards[javaHash(groupID)%uint32(len(c.shards))], nil
}

// all returns the shards, none if no group was ever used.
func (c *Groups) all() []*shard {
	select {
	case <-c.ready:
		return c.shards
	default:
		return nil
	}
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
