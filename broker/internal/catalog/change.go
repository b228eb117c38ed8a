package catalog

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
)

// NewTopic is a topic to be created.
type NewTopic struct {
	Name       string
	Partitions int32
	Configs    map[string]string
}

// CheckCreate returns the error, with Kafka's code, that creating the topic
// would meet in the image.
func (c *Catalog) CheckCreate(m *Image, n NewTopic) error {
	if err := CheckName(n.Name); err != nil {
		return err
	}
	if m.Topic(n.Name) != nil {
		return batch.Errorf(kerr.TopicAlreadyExists, "Topic '%s' already exists.", n.Name)
	}
	if other, ok := m.byMetric[metricName(n.Name)]; ok {
		return batch.Errorf(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", n.Name, other)
	}
	if n.Partitions < 1 {
		return batch.Errorf(kerr.InvalidPartitions, "Number of partitions must be larger than 0.")
	}
	if err := c.checkRoom(m, int(n.Partitions)); err != nil {
		return err
	}
	return CheckConfigs(n.Configs)
}

// checkRoom refuses more partitions than the broker may have.
func (c *Catalog) checkRoom(m *Image, more int) error {
	if m.partitions+more > c.opt.MaxPartitions {
		return batch.Errorf(kerr.PolicyViolation, "The broker has %d partitions and may have %d; %d more are too many.", m.partitions, c.opt.MaxPartitions, more)
	}
	return nil
}

// Create creates topics, all that it can in one change. The errors are those
// of the topics in their order.
func (c *Catalog) Create(topics []NewTopic) ([]*Topic, []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	made, errs := make([]*Topic, len(topics)), make([]error, len(topics))
	img := c.image.Load().clone()
	for i, n := range topics {
		made[i], errs[i] = c.create(img, n)
	}
	if !slices.ContainsFunc(made, func(t *Topic) bool { return t != nil }) {
		return made, errs
	}
	if err := c.publish(img); err != nil {
		for i, t := range made {
			if t != nil {
				errs[i] = errors.Join(storageError(err), deleteLogs(t.Name, t.Logs))
				made[i] = nil
			}
		}
	}
	return made, errs
}

func (c *Catalog) create(img *Image, n NewTopic) (*Topic, error) {
	if c.closed {
		return nil, ErrClosed
	}
	if err := c.CheckCreate(img, n); err != nil {
		return nil, err
	}
	t := &Topic{Name: n.Name, ID: newID(), Configs: maps.Clone(n.Configs), Traffic: new(partition.Traffic)}
	logs, err := c.openLogs(img, t, n.Partitions)
	if err != nil {
		return nil, err
	}
	t.Logs = logs
	img.put(t)
	return t, nil
}

// openLogs makes the logs of a topic's new partitions up to hi, or none of them.
func (c *Catalog) openLogs(img *Image, t *Topic, hi int32) ([]*partition.Log, error) {
	lo := int32(len(t.Logs))
	how := opening{tail: tailBytes(img.partitions + int(hi-lo))}
	logs := make([]*partition.Log, hi-lo)
	var failed atomic.Bool // a full disk needn't be told of for each partition
	err := each(lo, hi, func(p int32) error {
		if failed.Load() {
			return nil
		}
		// Whatever is there is no partition of ours.
		if err := c.opt.FS.RemoveAll(c.logDir(t.Name, p)); err != nil {
			return err
		}
		log, err := c.openLog(t, p, how)
		if err != nil {
			failed.Store(true)
			return err
		}
		logs[p-lo] = log
		return nil
	})
	if err != nil {
		return nil, errors.Join(storageError(err), deleteLogs(t.Name, logs))
	}
	return logs, nil
}

// Delete deletes a topic and its records.
func (c *Catalog) Delete(name string) (*Topic, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	img := c.image.Load().clone()
	t := img.Topic(name)
	if t == nil {
		return nil, unknownTopic(name)
	}
	img.drop(t)
	if err := c.publish(img); err != nil {
		return nil, storageError(err)
	}
	c.dropped = c.dropped.Plus(t.Traffic.Load())
	if err := deleteLogs(t.Name, t.Logs); err != nil {
		// The topic is gone all the same; the next start removes the rest.
		c.opt.Log.Warn("files of a deleted topic remain", "topic", name, "err", err)
	}
	return t, nil
}

// CheckGrow returns the error, with Kafka's code, that growing the topic to
// count partitions would meet.
func (c *Catalog) CheckGrow(m *Image, name string, count int32) error {
	t := m.Topic(name)
	if t == nil {
		return unknownTopic(name)
	}
	have := int32(len(t.Logs))
	switch {
	case count == have:
		return batch.Errorf(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case count < have:
		return batch.Errorf(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.", name, have, count)
	}
	return c.checkRoom(m, int(count-have))
}

// Grow adds partitions to a topic, up to count.
func (c *Catalog) Grow(name string, count int32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	img := c.image.Load().clone()
	if err := c.CheckGrow(img, name, count); err != nil {
		return err
	}
	old := img.Topic(name)
	logs, err := c.openLogs(img, old, count)
	if err != nil {
		return err
	}
	t := *old
	t.Logs = append(slices.Clone(old.Logs), logs...)
	img.put(&t)
	if err := c.publish(img); err != nil {
		return errors.Join(storageError(err), deleteLogs(name, logs))
	}
	return nil
}

// Configure replaces the configs of a topic.
func (c *Catalog) Configure(name string, change func(map[string]string) (map[string]string, error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	img := c.image.Load().clone()
	old := img.Topic(name)
	if old == nil {
		return unknownTopic(name)
	}
	configs, err := change(maps.Clone(old.Configs))
	if err != nil {
		return err
	}
	if err := CheckConfigs(configs); err != nil {
		return err
	}
	t := *old
	t.Configs = configs
	img.put(&t)
	if err := c.publish(img); err != nil {
		return storageError(err)
	}
	for _, log := range t.Logs {
		log.SetConfig(logConfig(c.Settings(), configs))
	}
	return nil
}

// producerBlock is how many producer ids are reserved with one write.
const producerBlock = 1000

// ProducerID returns a producer id that was never returned before.
func (c *Catalog) ProducerID() (int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, ErrClosed
	}
	if c.nextProducer == c.endProducer {
		start := c.saved.NextProducerID
		c.saved.NextProducerID += producerBlock
		if err := c.save(); err != nil {
			c.saved.NextProducerID = start
			return 0, storageError(err)
		}
		c.nextProducer, c.endProducer = start, start+producerBlock
	}
	id := c.nextProducer
	c.nextProducer++
	return id, nil
}

// deleteLogs deletes logs, of which some may be missing.
func deleteLogs(topic string, logs []*partition.Log) error {
	return each(0, int32(len(logs)), func(p int32) error {
		if logs[p] == nil {
			return nil
		}
		if err := logs[p].Delete(); err != nil {
			return fmt.Errorf("delete partition %d of topic %s: %w", p, topic, err)
		}
		return nil
	})
}

func unknownTopic(name string) error {
	return batch.Errorf(kerr.UnknownTopicOrPartition, "The topic '%s' does not exist.", name)
}

func storageError(err error) error {
	return &batch.Error{Kafka: kerr.KafkaStorageError, Message: "the change could not be stored", Cause: err}
}
