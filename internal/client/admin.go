package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
)

// Admin asks a cluster for topics and offsets and creates topics. It is safe
// for concurrent use. All its requests are retried by the library as long as
// the failure is one that may pass, but not beyond their context.
type Admin struct {
	k       *kgo.Client
	brokers []string
	iso     Isolation
	clock   clock.Clock
}

// Topic is what a cluster knows of a topic.
type Topic struct {
	Name       string
	ID         [16]byte // changes when the topic is deleted and created again
	Partitions int32
}

// Ping waits until a broker answers. The error after ctx is done is
// ErrUnreachable, with the addresses that were tried and the last failure.
func (a *Admin) Ping(ctx context.Context) error {
	var last error
	for n := 1; ; n++ {
		err := a.k.Ping(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, kgo.ErrClientClosed):
			return ErrClosed
		case ctx.Err() == nil || last == nil:
			last = err
		}
		if wait(ctx, a.clock, backoff(n)) != nil {
			return unreachable(a.brokers, last)
		}
	}
}

// Topics returns what is known of the topics named, and the names of those
// that don't exist. Topics are in no particular order.
func (a *Admin) Topics(ctx context.Context, names ...string) (found []Topic, missing []string, err error) {
	if len(names) == 0 {
		return nil, nil, nil
	}
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	return a.metadata(ctx, req)
}

// AllTopics returns what is known of every topic that this client may see, but
// those of the cluster's own.
func (a *Admin) AllTopics(ctx context.Context) ([]Topic, error) {
	found, _, err := a.metadata(ctx, kmsg.NewPtrMetadataRequest())
	return found, err
}

func (a *Admin) metadata(ctx context.Context, req *kmsg.MetadataRequest) (found []Topic, missing []string, err error) {
	resp, err := req.RequestWith(ctx, a.k)
	if err != nil {
		return nil, nil, unreachable(a.brokers, closedError(err))
	}
	for _, t := range resp.Topics {
		name := *orNew(t.Topic)
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case t.IsInternal && req.Topics == nil:
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			missing = append(missing, name)
		// Without a leader it exists all the same.
		case err != nil && !errors.Is(err, kerr.LeaderNotAvailable):
			return nil, nil, fmt.Errorf("client: metadata of topic %s: %w", name, err)
		case len(t.Partitions) == 0: // it is being created
			missing = append(missing, name)
		default:
			found = append(found, Topic{Name: name, ID: t.TopicID, Partitions: int32(len(t.Partitions))})
		}
	}
	slices.Sort(missing)
	return found, missing, nil
}

func orNew[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// NewTopic is a topic to create.
type NewTopic struct {
	Name       string
	Partitions int32
	// Replication is the number of replicas, 0 leaves it to the cluster.
	Replication int16
	// Configs are the topic's settings by name, such as cleanup.policy.
	Configs map[string]string
}

// A CountError says that a topic exists with another number of partitions than
// it should have.
type CountError struct {
	Topic      string
	Have, Want int32
}

func (e *CountError) Error() string {
	return fmt.Sprintf("client: topic %s has %d partitions, needs %d: was the number of partitions of an input changed? Reset the application or name it differently", e.Topic, e.Have, e.Want)
}

// CreateTopics makes sure that the topics exist with as many partitions as
// they say: else the error is a *CountError. It waits until they can be used.
// The settings of those that exist are left as they are.
func (a *Admin) CreateTopics(ctx context.Context, topics []NewTopic) error {
	want := make(map[string]NewTopic, len(topics))
	names := make([]string, len(topics))
	for i, t := range topics {
		want[t.Name], names[i] = t, t.Name
	}
	for {
		found, missing, err := a.Topics(ctx, names...)
		if err != nil {
			return err
		}
		for _, t := range found {
			if w := want[t.Name]; w.Partitions != t.Partitions {
				return &CountError{Topic: t.Name, Have: t.Partitions, Want: w.Partitions}
			}
		}
		if len(missing) == 0 {
			return nil
		}
		create := make([]NewTopic, len(missing))
		for i, name := range missing {
			create[i] = want[name]
		}
		if err := a.create(ctx, create); err != nil {
			return err
		}
		// Brokers learn of a new topic one after the other: look again.
		if err := wait(ctx, a.clock, 50*time.Millisecond); err != nil {
			return fmt.Errorf("client: topics %s were created but can't be seen yet: %w", strings.Join(missing, ", "), err)
		}
	}
}

// create asks for topics to be created; that one exists is no error.
func (a *Admin) create(ctx context.Context, topics []NewTopic) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, t := range topics {
		rt := kmsg.NewCreateTopicsRequestTopic()
		rt.Topic, rt.NumPartitions = t.Name, t.Partitions
		rt.ReplicationFactor = or(t.Replication, -1)
		for _, name := range sortedKeys(t.Configs) {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = name, kmsg.StringPtr(t.Configs[name])
			rt.Configs = append(rt.Configs, c)
		}
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, a.k)
	if err != nil {
		return fmt.Errorf("client: create topics: %w", closedError(err))
	}
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if err == nil || errors.Is(err, kerr.TopicAlreadyExists) {
			continue
		}
		if kerr.IsRetriable(err) { // the next round tries again
			continue
		}
		detail := ""
		if t.ErrorMessage != nil && *t.ErrorMessage != "" {
			detail = " (" + *t.ErrorMessage + ")"
		}
		return fmt.Errorf("client: create topic %s: %w%s", t.Topic, err, detail)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Purge deletes the records of partitions below the offsets given. A partition
// that starts there already is fine.
func (a *Admin) Purge(ctx context.Context, below map[record.TopicPartition]int64) error {
	if len(below) == 0 {
		return nil
	}
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 15_000
	for topic, partitions := range byTopic(below) {
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = topic
		for partition, offset := range partitions {
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Partition, p.Offset = partition, offset
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.k)
	if err != nil {
		return fmt.Errorf("client: delete records: %w", closedError(err))
	}
	var errs []error
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil && !errors.Is(err, kerr.OffsetOutOfRange) {
				errs = append(errs, &PartitionError{record.TopicPartition{Topic: t.Topic, Partition: p.Partition}, "delete records", err})
			}
		}
	}
	return errors.Join(errs...)
}

// byTopic groups what is kept by partition.
func byTopic[V any](in map[record.TopicPartition]V) map[string]map[int32]V {
	out := make(map[string]map[int32]V)
	for tp, v := range in {
		if out[tp.Topic] == nil {
			out[tp.Topic] = make(map[int32]V)
		}
		out[tp.Topic][tp.Partition] = v
	}
	return out
}
