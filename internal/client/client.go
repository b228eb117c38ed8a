package client

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/clock"
)

// Client is an idempotent producer and an Admin on one set of connections. It
// is safe for concurrent use.
type Client struct {
	Admin
}

// Open makes a client. It doesn't connect: use Ping to find out whether
// anybody is there.
func Open(cfg Config) (*Client, error) {
	linger := or(cfg.Linger, 10*time.Millisecond)
	opts := []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerLinger(max(linger, 0)),
		kgo.ProducerBatchMaxBytes(or(cfg.BatchBytes, 1_000_000)),
		kgo.MaxBufferedRecords(or(cfg.BufferedRecords, 100_000)),
		kgo.RecordPartitioner(newPartitioner()),
		// A topic that isn't there may be just about to be created, but not
		// for long: what is sent to was checked at the start.
		kgo.UnknownTopicRetries(8),
		// What a task has not got through before it is given up must not be
		// written later on, over what its next owner wrote. So records go with
		// their session's context even if they were sent once already.
		kgo.AllowIdempotentProduceCancellation(),
	}
	if cfg.DeliveryTimeout > 0 {
		opts = append(opts, kgo.RecordDeliveryTimeout(cfg.DeliveryTimeout))
	}
	k, err := cfg.open(opts...)
	if err != nil {
		return nil, err
	}
	return &Client{Admin{k: k, brokers: cfg.Brokers, iso: cfg.Isolation, clock: clock.Or(cfg.Clock)}}, nil
}

// Close drops what isn't acknowledged (the sessions concerned fail) and closes
// the connections. Flush the sessions first.
func (c *Client) Close() { c.k.Close() }

// Abandon drops all records that aren't acknowledged; their sessions fail. What
// is on its way to a broker may be written all the same.
func (c *Client) Abandon() { c.k.UnsafeAbortBufferedRecords() }

// Ready waits until the client may produce: a broker answers and has given it
// the ID that idempotent writes need.
func (c *Client) Ready(ctx context.Context) error {
	if err := c.Ping(ctx); err != nil {
		return err
	}
	if _, _, err := c.k.ProducerID(ctx); err != nil {
		return fmt.Errorf("client: producer ID: %w", closedError(err))
	}
	return nil
}
