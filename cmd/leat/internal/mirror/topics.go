package mirror

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// mirrored reports whether a topic of the source is to be copied.
func (m *Mirror) mirrored(topic string) bool {
	return !strings.HasPrefix(topic, "__") && !strings.HasPrefix(topic, "leat-mirror-") &&
		anyMatch(m.patterns.topics, topic) && !anyMatch(m.patterns.exclude, topic)
}

// refresh looks for topics and partitions of the source that are new, makes them
// at the target and begins to read them. What is gone at the source isn't read
// any more; the target keeps it.
func (s *session) refresh(ctx context.Context) error {
	all, err := s.from.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("mirror: source: list topics: %w", err)
	}
	var changed []string
	for _, t := range all.Sorted() {
		if t.Err == nil && s.m.mirrored(t.Topic) && len(t.Partitions) > s.known[t.Topic] {
			changed = append(changed, t.Topic)
		}
	}
	for topic := range s.known {
		if t, ok := all[topic]; !ok || errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			s.cfg.Logger.Warn("the topic is gone at the source", "topic", topic)
			s.source.PurgeTopicsFromConsuming(topic)
			delete(s.known, topic)
			for of := range s.ends {
				if of.Topic == topic {
					delete(s.ends, of)
				}
			}
		}
	}
	first := s.ends == nil
	if first {
		s.ends = map[partition]int64{}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := s.make(ctx, all, changed); err != nil {
		return err
	}
	return s.begin(ctx, all, changed, first)
}

// make makes topics at the target that aren't there, and gives those that are as
// many partitions as at the source.
func (s *session) make(ctx context.Context, all kadm.TopicDetails, topics []string) error {
	there, err := s.to.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("mirror: target: list topics: %w", err)
	}
	configs, err := s.from.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return fmt.Errorf("mirror: source: configs of topics: %w", err)
	}
	for _, topic := range topics {
		name, n := s.cfg.Prefix+topic, len(all[topic].Partitions)
		t, ok := there[name]
		switch {
		case !ok:
			c, err := configs.On(topic, nil)
			if err != nil {
				return fmt.Errorf("mirror: source: configs of topic %s: %w", topic, err)
			}
			if _, err := s.to.CreateTopic(ctx, int32(n), -1, copyConfigs(c), name); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
				return fmt.Errorf("mirror: target: create topic %s: %w", name, err)
			}
			s.cfg.Logger.Info("topic created at the target", "topic", name, "partitions", n)
		case len(t.Partitions) < n:
			resp, err := s.to.UpdatePartitions(ctx, n, name)
			if err == nil {
				err = resp.Error()
			}
			if err != nil {
				return fmt.Errorf("mirror: target: give topic %s %d partitions: %w", name, n, err)
			}
			s.target.ForceMetadataRefresh()
		}
	}
	return nil
}

// copyConfigs is the configs of a topic that were set for it.
func copyConfigs(c kadm.ResourceConfig) map[string]*string {
	set := map[string]*string{}
	for _, e := range c.Configs {
		if e.Source.String() != "DYNAMIC_TOPIC_CONFIG" || strings.Contains(e.Key, "replication.throttled") || strings.HasPrefix(e.Key, "remote.") {
			continue
		}
		set[e.Key] = e.Value
	}
	// Records keep the time that they had, if it was that of the source's
	// append too.
	delete(set, "message.timestamp.type")
	return set
}

// begin reads partitions of the source that aren't read yet, from their places.
func (s *session) begin(ctx context.Context, all kadm.TopicDetails, topics []string, first bool) error {
	starts, err := s.from.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("mirror: source: first offsets: %w", err)
	}
	ends, err := s.from.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("mirror: source: last offsets: %w", err)
	}
	add := map[string]map[int32]kgo.Offset{}
	for _, topic := range topics {
		add[topic] = map[int32]kgo.Offset{}
		for n := s.known[topic]; n < len(all[topic].Partitions); n++ {
			of := partition{topic, int32(n)}
			start, _ := starts.Lookup(of.Topic, of.Partition)
			end, _ := ends.Lookup(of.Topic, of.Partition)
			at, err := s.beginAt(of, start.Offset, end.Offset, first)
			if err != nil {
				return err
			}
			add[topic][of.Partition] = kgo.NewOffset().At(at)
			if first && at < end.Offset {
				s.ends[of] = end.Offset
			}
		}
		s.known[topic] = len(all[topic].Partitions)
	}
	s.source.AddConsumePartitions(add)
	return nil
}

// beginAt is the offset at which a partition is read first.
func (s *session) beginAt(of partition, start, end int64, first bool) (int64, error) {
	p := s.places[of]
	switch {
	case p == nil && s.cfg.Latest && first:
		return end, nil
	case p == nil:
		return start, nil
	case p.Next > end:
		return 0, &PartitionError{of.Topic, of.Partition, fmt.Sprintf(
			"it was copied up to offset %d, but ends at %d: the topic was made anew, or has lost records; copy it to another topic, or by a mirror of another name", p.Next, end)}
	case p.Next < start:
		s.cfg.Logger.Error("records were deleted at the source before they were copied", "topic", of.Topic, "partition", of.Partition,
			"offsets", start-p.Next, "first", p.Next)
		return start, nil
	}
	return p.Next, nil
}
