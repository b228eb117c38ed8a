package coord

import (
	"fmt"
	"sync"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/partition"
)

// worked is a shard: it owns what one partition of an internal topic tells of.
type worked interface {
	replay() error
	work() // until stop
	stop()
}

// sharded is the shards of an internal topic. It is safe for concurrent use.
type sharded[S worked] struct {
	catalog     *catalog.Catalog
	topic       string
	compression string // of the topic, when it is made
	open        func(*partition.Log) S
	replayed    func([]S) // called before the loops begin, if it is not nil

	mu     sync.Mutex // held while the shards start or stop
	shards []S        // set once
	closed bool
	ready  chan struct{} // closed when shards is set
}

// resume starts the shards of a topic that is there. Without one there is nothing
// to start: the first request creates it.
func (c *sharded[S]) resume() error {
	c.ready = make(chan struct{})
	if t := c.catalog.Image().Topic(c.topic); t != nil {
		return c.start(t)
	}
	return nil
}

func (c *sharded[S]) start(t *catalog.Topic) error {
	var list []S
	for p, log := range t.Logs {
		s := c.open(log)
		if err := s.replay(); err != nil {
			return fmt.Errorf("replay partition %d of %s: %w", p, t.Name, err)
		}
		list = append(list, s)
	}
	if c.replayed != nil {
		c.replayed(list)
	}
	for _, s := range list {
		go s.work()
	}
	c.shards = list
	close(c.ready)
	return nil
}

// Ensure makes the internal topic and its shards if they are missing.
func (c *sharded[S]) Ensure() error {
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
	t := c.catalog.Image().Topic(c.topic)
	if t == nil {
		made, errs := c.catalog.Create([]catalog.NewTopic{c.internalTopic()})
		if errs[0] != nil {
			return fmt.Errorf("create %s: %w", c.topic, errs[0])
		}
		t = made[0]
	}
	return c.start(t)
}

// internalTopic is a topic that the broker keeps for itself, as Kafka
// configures them.
func (c *sharded[S]) internalTopic() catalog.NewTopic {
	set, prefix := c.catalog.Settings(), settingsOf[c.topic]
	t := catalog.NewTopic{
		Name: c.topic, Partitions: int32(set.Int(prefix + ".num.partitions")),
		Configs: map[string]string{
			"cleanup.policy":   "compact",
			"compression.type": c.compression,
			"segment.bytes":    set.Text(prefix + ".segment.bytes"),
		},
	}
	if c.topic == catalog.ShareGroupState {
		// Its records build on one another: it is pruned instead.
		t.Configs["cleanup.policy"], t.Configs["retention.ms"] = "delete", "-1"
	}
	return t
}

// settingsOf is what the names of the settings of internal topics begin with.
var settingsOf = map[string]string{
	catalog.ConsumerOffsets:  "offsets.topic",
	catalog.TransactionState: "transaction.state.log",
	catalog.ShareGroupState:  "share.coordinator.state.topic",
}

// Close stops the shards. Calls that wait fail with ErrClosed.
func (c *sharded[S]) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	for _, s := range c.shards {
		s.stop()
	}
	return nil
}

// of returns the shard that an id belongs to.
func (c *sharded[S]) of(id string) (s S, err error) {
	if err := c.Ensure(); err != nil {
		return s, err
	}
	return c.shards[c.partition(id)], nil
}

// partition is the partition of the topic that an id belongs to.
func (c *sharded[S]) partition(id string) int32 {
	return int32(javaHash(id) % uint32(len(c.shards)))
}

// all returns the shards, none if no id was ever used.
func (c *sharded[S]) all() []S {
	select {
	case <-c.ready:
		return c.shards
	default:
		return nil
	}
}
