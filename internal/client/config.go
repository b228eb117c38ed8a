package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/clock"
)

// Isolation says which records of transactions are read.
type Isolation uint8

// The isolation levels.
const (
	ReadUncommitted Isolation = iota // all of them
	ReadCommitted                    // those of committed transactions, up to the last stable offset
)

func (i Isolation) kgo() kgo.IsolationLevel {
	if i == ReadCommitted {
		return kgo.ReadCommitted()
	}
	return kgo.ReadUncommitted()
}

// Config says how to reach a cluster and how to write to it. The zero value of
// every field but Brokers is useful.
type Config struct {
	// Brokers are the addresses (host:port) of some of the cluster's brokers.
	Brokers []string
	// ClientID names the client in the brokers' logs and quotas.
	ClientID string
	// Dial opens connections; the default is TCP, through TLS where that is
	// set. With a Dial of one's own TLS must be nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is used for connections if not nil.
	TLS *tls.Config
	// SASL is used to log in if not nil.
	SASL *SASL
	// Isolation is what consumers and end offsets see.
	Isolation Isolation
	// Logger takes what the library has to say; nil drops it.
	Logger *slog.Logger
	// Clock is the clock for waits and for limits of what is logged; nil is
	// the system's.
	Clock clock.Clock

	// Linger is how long a record waits for others to share a batch with,
	// 0 means 10 ms, negative not at all. A flush never waits for it.
	Linger time.Duration
	// BatchBytes limits a batch before compression, 0 means 1 MB, which is
	// what brokers take by default.
	BatchBytes int32
	// BufferedRecords is how many records may be unacknowledged before Send
	// waits; 0 means 100,000.
	BufferedRecords int
	// DeliveryTimeout is how long a record may go unacknowledged before it
	// counts as lost and its session as failed; 0 means for ever, as long as
	// the failures are ones that may pass.
	DeliveryTimeout time.Duration
	// FetchBytes limits what one fetch brings of one partition, 0 means 1 MB.
	FetchBytes int32
}

// Check reports what is wrong with c.
func (c *Config) Check() error {
	if len(c.Brokers) == 0 {
		return errors.New("client: no broker addresses given: set at least one host:port")
	}
	for _, b := range c.Brokers {
		if strings.TrimSpace(b) == "" {
			return errors.New("client: an empty broker address was given")
		}
	}
	if c.TLS != nil && c.Dial != nil {
		return errors.New("client: both TLS and Dial are set: let Dial do the TLS handshake")
	}
	if c.SASL != nil {
		if _, err := c.SASL.mechanism(clock.Or(c.Clock)); err != nil {
			return err
		}
	}
	return nil
}

// fetchWait is for how long a broker holds back the answer to a fetch when there
// is nothing new.
const fetchWait = 200 * time.Millisecond

// Connect returns the library's options for reaching the cluster and logging in,
// for those who use the library themselves.
func (c *Config) Connect() ([]kgo.Opt, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(or(c.ClientID, "leat")),
		kgo.Dialer(c.dialer()),
		kgo.WithLogger(newLogger(c.Logger, clock.Or(c.Clock))),
	}
	if c.SASL != nil {
		m, err := c.SASL.mechanism(clock.Or(c.Clock))
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// open makes a library client with what all of them share, and opts.
func (c *Config) open(opts ...kgo.Opt) (*kgo.Client, error) {
	all, err := c.Connect()
	if err != nil {
		return nil, err
	}
	all = append(all,
		kgo.FetchIsolationLevel(c.Isolation.kgo()),
		// A topic that was just created is unknown to some broker for a
		// moment, and metadata that is old for five minutes isn't noticed.
		kgo.MetadataMinAge(250*time.Millisecond),
		kgo.MetadataMaxAge(time.Minute),
		kgo.DisableClientMetrics(),
		// A broker that goes away before its first answer on a connection is a
		// broker that restarts, more often than one that wants a login.
		kgo.AlwaysRetryEOF(),
		// A partition that is added or resumed is fetched when the fetch that
		// waits at its broker has returned, so that mustn't take long.
		kgo.FetchMaxWait(fetchWait),
		kgo.RetryBackoffFn(retryBackoff),
		kgo.RequestRetries(100), // in effect it is time that limits them
	)
	k, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return k, nil
}

// retryBackoff is how long the library waits before it repeats a request for the
// nth time: from 25 ms up to a second, so that a broker that was restarted is
// noticed soon.
func retryBackoff(n int) time.Duration {
	return min(25*time.Millisecond<<min(n-1, 6), time.Second)
}

// or returns v, or otherwise where v is its type's zero value.
func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
