package stream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/worker"
)

// Config says where an [App] runs and how. ApplicationID and Brokers are
// required; the zero value of everything else is a good choice.
type Config struct {
	// ApplicationID names the app: it is its consumer group, and the prefix of
	// its internal topics and of its state on disk. Instances that share it
	// share the work.
	ApplicationID string
	// Brokers are addresses (host:port) of some brokers of the cluster.
	Brokers []string
	// Dial opens connections to brokers, as (*net.Dialer).DialContext does,
	// which is the default. The embedded broker's Dial goes to it without a
	// socket.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS encrypts connections if it is not nil. It can't be combined with
	// Dial.
	TLS *tls.Config
	// SASL logs in at the brokers if it is not nil.
	SASL *SASL

	// StateDir is the directory for state, of which the app uses a
	// sub-directory named after itself; it must not be shared by two instances
	// that run at once. The default is "leat" in the user's cache directory.
	StateDir string
	// Workers is how many goroutines run tasks; the default is GOMAXPROCS.
	Workers int
	// CommitInterval is the time between commits, and so the work that is done
	// again after a crash, and the time that an aggregation gathers updates of
	// a row before it tells of them. The default is 1 s.
	CommitInterval time.Duration
	// CacheBytes is the budget of the typed caches of all stores of this
	// instance, in bytes, roughly. The default is 64 MiB.
	CacheBytes int64
	// ReplicationFactor is that of the internal topics; the default leaves it
	// to the cluster.
	ReplicationFactor int16
	// StartTimeout is how long Run waits for a broker to answer before it
	// gives up. The default is 30 s.
	StartTimeout time.Duration

	// SessionTimeout is after how long without a sign of life an instance is
	// taken for dead and its tasks are given to others. Brokers allow 6 s to
	// 30 min; the default is 10 s.
	SessionTimeout time.Duration

	// OnError decides what becomes of a record that can't be processed. It is
	// called by the goroutine of the record's task, so several at a time. The
	// default is to stop the app ([Fail]), which loses nothing.
	OnError func(*RecordError) Action
	// RetryBackoff is how long a function waits before it is called again for
	// which OnError returned [Retry]; the time doubles with each attempt, up to
	// 10 s. The default is 100 ms.
	RetryBackoff time.Duration
	// OnDrop decides what becomes of a record that an operator drops, beside
	// being counted: because it is late, has no key, or is too far in the
	// future. The default is to go on without it ([Skip]); [DeadLetter] keeps
	// it, [Fail] stops the app. It is called by the goroutine of the record's
	// task. [Dropped] gives the records that one operator drops as a stream.
	OnDrop func(*DroppedRecord) Action
	// MaxFuture is how far a record's timestamp may be ahead of the clock. One
	// that is further is dropped, with the reason "future-timestamp": it would
	// make every record after it late. The default is one hour, as long as Kafka
	// brokers take records; a negative value is no bound.
	MaxFuture time.Duration
	// DeadLetterTopic is where records go for which OnError or OnDrop returns
	// [DeadLetter]; it must exist. The default is
	// `<application id>-dead-letters`.
	DeadLetterTopic string

	// Logger takes what the app has to say; the default is silence.
	Logger *slog.Logger
	// MeterProvider gets the app's metrics, if it is not nil.
	MeterProvider metric.MeterProvider
	// Clock is where the app reads time; the default is the system's.
	Clock Clock
}

// Clock is where an app reads the time. Its timers need not be exact.
type Clock = clock.Clock

// Check reports what is wrong with the configuration, all of it, or nil. [New]
// calls it.
func (c Config) Check() error {
	var errs []error
	report := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.ApplicationID == "" {
		report("ApplicationID is empty; it names the app's group, topics and state")
	}
	if len(c.Brokers) == 0 {
		report("Brokers is empty; give at least one host:port")
	}
	if c.TLS != nil && c.Dial != nil {
		report("TLS and Dial are both set; let Dial open the encrypted connection")
	}
	if err := c.SASL.check(); err != nil {
		errs = append(errs, err)
	}
	if c.Workers < 0 || c.CommitInterval < 0 || c.CacheBytes < 0 || c.StartTimeout < 0 || c.SessionTimeout < 0 || c.RetryBackoff < 0 {
		report("Workers, CommitInterval, CacheBytes, StartTimeout, SessionTimeout and RetryBackoff must not be negative")
	}
	return errors.Join(errs...)
}

// engine is the configuration in the terms of the engine.
func (c Config) engine(t *Topology) (worker.Config, error) {
	if c.CommitInterval == 0 {
		c.CommitInterval = time.Second
	}
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 10 * time.Second
	}
	c.RetryBackoff = cmp.Or(c.RetryBackoff, 100*time.Millisecond)
	c.MaxFuture = max(0, cmp.Or(c.MaxFuture, time.Hour))
	if c.DeadLetterTopic == "" && (c.OnError != nil || c.OnDrop != nil) {
		c.DeadLetterTopic = c.ApplicationID + "-dead-letters"
	}
	if c.StateDir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return worker.Config{}, fmt.Errorf("no default for StateDir: %w", err)
		}
		c.StateDir = filepath.Join(cache, "leat")
	}
	w := worker.Config{
		App: c.ApplicationID, Plan: t.plan,
		Client:  client.Config{Brokers: c.Brokers, Dial: c.Dial, TLS: c.TLS, SASL: c.SASL.client()},
		Workers: c.Workers, CommitInterval: c.CommitInterval, CacheBytes: c.CacheBytes,
		StateDir: c.StateDir, Replication: c.ReplicationFactor, StartTimeout: c.StartTimeout, SessionTimeout: c.SessionTimeout,
		OnFailure: Policy(c.OnError), DeadLetters: c.DeadLetterTopic,
		OnDrop: DropPolicy(c.OnDrop), Backoff: c.RetryBackoff, MaxFuture: c.MaxFuture,
		Logger: c.Logger, Clock: c.Clock, Meter: c.MeterProvider,
	}
	return w, nil
}
