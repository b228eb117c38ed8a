package mirror

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The topic that keeps the places has two more kinds of records, beside those of
// partitions. Each mirror claims the topic once, when it begins; the one that did
// it last is the mirror, and those before it have to go. And each session writes
// a mark before it reads: what is after the mark is by nobody else, since a
// session's first transaction fences all others.
const (
	claimOf = -1 // the key's topic is the mirror's own name
	markOf  = -2
)

// createPlaces makes the topic that keeps the places.
func (s *session) createPlaces(ctx context.Context) error {
	compact := "compact"
	_, err := s.to.CreateTopic(ctx, 1, -1, map[string]*string{"cleanup.policy": &compact}, s.cfg.id())
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("mirror: target: create topic %s: %w", s.cfg.id(), err)
	}
	return nil
}

// mark writes a mark, which it returns, and with a mirror's first session its
// claim.
func (s *session) mark(ctx context.Context) (mark string, err error) {
	mark = rand.Text()
	var records []*kgo.Record
	add := func(of partition, p place) error {
		key, value, err := encodePlace(of, &p)
		records = append(records, &kgo.Record{Topic: s.cfg.id(), Key: key, Value: value})
		return err
	}
	if !s.m.claimed {
		err = add(partition{s.m.name, claimOf}, place{})
	}
	if err = errors.Join(err, add(partition{"", markOf}, place{Mark: mark})); err != nil {
		return "", err
	}
	if err := s.target.BeginTransaction(); err != nil {
		return "", fmt.Errorf("mirror: target: begin a transaction: %w", err)
	}
	ctx, cancel := within(ctx, s.cfg.Clock, deliveryTimeout)
	defer cancel()
	if err := s.produce(ctx, records); err != nil {
		return "", s.abort(err)
	}
	if err := s.target.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return "", fmt.Errorf("mirror: target: commit a transaction: %w", err)
	}
	s.m.claimed = true
	return mark, nil
}

// readPlaces reads the topic up to a mark of its own.
func (s *session) readPlaces(ctx context.Context) error {
	mark, err := s.mark(ctx)
	if err != nil {
		return err
	}
	topic := s.cfg.id()
	s.target.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}})
	defer s.target.PurgeTopicsFromConsuming(topic)
	last := ""
	for {
		fetches := s.target.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("mirror: target: read %s: %w", topic, err)
		}
		for _, r := range fetches.Records() {
			of, p, err := decodePlace(r.Key, r.Value)
			switch {
			case err != nil:
				return &PartitionError{topic, r.Partition, fmt.Sprintf(
					"the record at offset %d isn't one of a mirror (%v); what is copied isn't known any more: choose another name for the mirror", r.Offset, err)}
			case of.Partition >= 0:
				s.places[of] = p
			case of.Partition == claimOf:
				last = of.Topic
			case p.Mark == mark && last != s.m.name:
				return ErrFenced
			case p.Mark == mark:
				return nil
			}
		}
	}
}
