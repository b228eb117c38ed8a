package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// position is how far the app has come, all its instances together.
type position struct {
	flights int64 // records of the topic flights that are processed and committed
	lag     int64 // records of all topics it consumes that aren't yet
	ends    int64 // sum of their end offsets: while it grows, something is written
}

// position asks the cluster. A topic that the app has yet to make counts as
// something left to do.
func (c *cluster) position(ctx context.Context) (position, error) {
	var at position
	spans, err := c.spans(ctx, consumed...)
	if err != nil {
		return at, err
	}
	committed, err := c.admin.FetchOffsets(ctx, appID)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return at, fmt.Errorf("offsets of the group %s: %w", appID, err)
	}
	for _, topic := range consumed {
		if len(spans[topic]) == 0 {
			at.lag++ // it will get some
		}
		for p, s := range spans[topic] {
			done := committedOffset(committed, topic, int32(p), s.start)
			at.ends += s.end
			at.lag += max(0, s.end-done)
			if topic == flights.Name() {
				at.flights += done
			}
		}
	}
	return at, nil
}

func committedOffset(committed kadm.OffsetResponses, topic string, p int32, otherwise int64) int64 {
	if o, ok := committed.Lookup(topic, p); ok && o.Err == nil && o.At >= 0 {
		return max(o.At, otherwise)
	}
	return otherwise
}
