package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/serde"
)

// results is what the output topics hold: the last value of each key.
type results struct {
	CarrierDays map[string]CarrierDay
	Makers      map[string]Maker
	DestZones   map[string]Zone
	Rotations   map[string]Rotation
	Visibility  map[string]Departures
	DeadLetters int
}

func newResults() *results {
	return &results{
		CarrierDays: map[string]CarrierDay{}, Makers: map[string]Maker{}, DestZones: map[string]Zone{},
		Rotations: map[string]Rotation{}, Visibility: map[string]Departures{},
	}
}

// outputs are the topics that results are read of.
var outputs = []string{
	carrierDays.Name(), makers.Name(), destZones.Name(), rotations.Name(), visibility.Name(), deadLetters,
}

// apply takes in one record of an output topic.
func (r *results) apply(rec *kgo.Record) error {
	switch rec.Topic {
	case carrierDays.Name():
		return set(r.CarrierDays, carrierDays.Value(), rec)
	case makers.Name():
		return set(r.Makers, makers.Value(), rec)
	case destZones.Name():
		return set(r.DestZones, destZones.Value(), rec)
	case rotations.Name():
		return set(r.Rotations, rotations.Value(), rec)
	case visibility.Name():
		return set(r.Visibility, visibility.Value(), rec)
	case deadLetters:
		r.DeadLetters++
	}
	return nil
}

func set[V any](rows map[string]V, s serde.Serde[V], rec *kgo.Record) error {
	if rec.Value == nil {
		delete(rows, string(rec.Key))
		return nil
	}
	v, err := s.Decode(rec.Value)
	if err != nil {
		return fmt.Errorf("record %d of partition %d of %s: %w", rec.Offset, rec.Partition, rec.Topic, err)
	}
	rows[string(rec.Key)] = v
	return nil
}

// readResults reads the output topics to their ends.
func (c *cluster) readResults(ctx context.Context) (*results, error) {
	spans, err := c.spans(ctx, outputs...)
	if err != nil {
		return nil, err
	}
	r := newResults()
	return r, c.read(ctx, spans, r.apply)
}
