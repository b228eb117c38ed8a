package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cluster is the Kafka cluster that the example works on: the embedded broker,
// or any other.
type cluster struct {
	seeds  []string
	dial   func(ctx context.Context, network, address string) (net.Conn, error) // nil is TCP
	client *kgo.Client                                                          // writes, and asks
	admin  *kadm.Client
}

// refusals is how often a broker that is up may refuse a record, for about half a
// minute, before loading it is given up. (A timeout would count from the record's
// timestamp, which is long past.)
const refusals = 20

func connect(seeds []string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*cluster, error) {
	c := &cluster{seeds: seeds, dial: dial}
	client, err := kgo.NewClient(c.options(
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), // the loader waits for each of its batches
		kgo.RecordRetries(refusals),
	)...)
	if err != nil {
		return nil, err
	}
	c.client, c.admin = client, kadm.NewClient(client)
	return c, nil
}

// options are those of every client, and more.
func (c *cluster) options(more ...kgo.Opt) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.seeds...), kgo.ClientID(appID)}
	if c.dial != nil {
		opts = append(opts, kgo.Dialer(c.dial))
	}
	return append(opts, more...)
}

func (c *cluster) close() { c.client.Close() }

// forever keeps the records of a year long past, and ages lets a segment hold
// them however far apart they are.
var forever, ages = "-1", "315360000000"

// createTopics makes the topics that aren't there yet, and returns the number of
// partitions of all of them. Topics that are there keep what they have.
func (c *cluster) createTopics(ctx context.Context, partitions int) (int, error) {
	var inputs []string
	for _, s := range sources {
		inputs = append(inputs, s.topic)
	}
	compact, keep := "compact", "delete"
	for _, group := range []struct {
		configs map[string]*string
		names   []string
	}{
		{map[string]*string{"cleanup.policy": &keep, "retention.ms": &forever, "segment.ms": &ages}, append(inputs, deadLetters)},
		{map[string]*string{"cleanup.policy": &compact, "segment.ms": &ages}, outputs[:len(outputs)-1]},
	} {
		made, err := c.admin.CreateTopics(ctx, int32(partitions), -1, group.configs, group.names...)
		if err != nil {
			return 0, fmt.Errorf("create topics: %w", err)
		}
		for _, t := range made.Sorted() {
			if t.Err != nil && !errors.Is(t.Err, kerr.TopicAlreadyExists) {
				return 0, fmt.Errorf("create topic %s: %w %s", t.Topic, t.Err, t.ErrMessage)
			}
		}
	}
	return settled(ctx, func(ctx context.Context) (int, error) { return c.partitions(ctx, inputs) })
}

// partitions is how many partitions the topics have, which must all have the
// same number.
func (c *cluster) partitions(ctx context.Context, topics []string) (int, error) {
	details, err := c.admin.ListTopics(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("list topics: %w", err)
	}
	n := 0
	for _, t := range details.Sorted() {
		if t.Err != nil {
			return 0, fmt.Errorf("topic %s: %w", t.Topic, t.Err)
		}
		if n != 0 && len(t.Partitions) != n {
			return 0, fmt.Errorf("topic %s has %d partitions and another input topic %d; delete the topics, or use another cluster", t.Topic, len(t.Partitions), n)
		}
		n = len(t.Partitions)
	}
	return n, nil
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int32
}

// span is the offsets of a partition: the first one, and the one behind the last.
type span struct{ start, end int64 }

// spans are those of every partition of the topics. Topics that don't exist
// (yet) are missing.
func (c *cluster) spans(ctx context.Context, topics ...string) (map[string][]span, error) {
	return settled(ctx, func(ctx context.Context) (map[string][]span, error) { return c.spansNow(ctx, topics...) })
}

// settled asks until the answer isn't one that passes by itself, for half a
// minute at most: the brokers of a cluster hear of a new topic, and of who leads
// it, one after the other.
func settled[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		answer, err := ask(ctx)
		if err == nil || !kerr.IsRetriable(err) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *cluster) spansNow(ctx context.Context, topics ...string) (map[string][]span, error) {
	starts, err := c.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	ends, err := c.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	all := map[string][]span{}
	var failed error
	ends.Each(func(o kadm.ListedOffset) {
		start, ok := starts.Lookup(o.Topic, o.Partition)
		switch err := cmp.Or(o.Err, start.Err); {
		case errors.Is(err, kerr.UnknownTopicOrPartition) || !ok:
			return
		case err != nil:
			failed = fmt.Errorf("offsets of partition %d of %s: %w", o.Partition, o.Topic, err)
			return
		}
		for len(all[o.Topic]) <= int(o.Partition) {
			all[o.Topic] = append(all[o.Topic], span{})
		}
		all[o.Topic][o.Partition] = span{start.Offset, o.Offset}
	})
	return all, failed
}

// read calls f with the records of partitions from some offset to another.
func (c *cluster) read(ctx context.Context, spans map[string][]span, f func(*kgo.Record) error) error {
	from := map[string]map[int32]kgo.Offset{}
	left := map[place]bool{}
	for topic, partitions := range spans {
		for p, s := range partitions {
			if s.start < s.end {
				if from[topic] == nil {
					from[topic] = map[int32]kgo.Offset{}
				}
				from[topic][int32(p)] = kgo.NewOffset().At(s.start)
				left[place{topic, int32(p)}] = true
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	client, err := kgo.NewClient(c.options(kgo.ConsumePartitions(from), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		var failed error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			end := spans[p.Topic][p.Partition].end
			for _, r := range p.Records {
				if failed == nil && r.Offset < end && !r.Attrs.IsControl() {
					failed = f(r)
				}
			}
			if n := len(p.Records); n > 0 && p.Records[n-1].Offset >= end-1 {
				client.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition}})
				delete(left, place{p.Topic, p.Partition})
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}
