package worker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// Config says what an Instance runs and how. App, Client.Brokers and Plan are
// required, and so is StateDir if there are stores and no OpenDB.
type Config struct {
	// App is the application's id: the name of its group and the prefix of its
	// internal topics.
	App string
	// Instance names this process in logs; the default is the host's name.
	Instance string
	// Client is how to reach the brokers.
	Client client.Config
	// Plan is what is run.
	Plan *task.Plan

	// Workers is how many goroutines run tasks; 0 means GOMAXPROCS.
	Workers int
	// CommitInterval is the time between commits; 0 means 30 s.
	CommitInterval time.Duration
	// MaxTaskIdle is for how much longer a task with several inputs waits for
	// one that has no more records on the broker. 0 doesn't wait for records
	// that aren't written yet. Negative doesn't wait for those on the broker
	// either: which of two records comes first is left to chance then.
	MaxTaskIdle time.Duration
	// BufferedRecords is how many records of a partition may wait for their
	// task before no more are fetched; 0 means 20,000.
	BufferedRecords int
	// CacheBytes is the budget of the caches of all tasks; 0 means 64 MB.
	CacheBytes int64
	// Reset says where to begin a source partition without a commit.
	Reset client.Reset

	// StateDir is where the databases of tasks are kept, each in a directory
	// of its own below one for App.
	StateDir string
	// Store are the settings of the databases.
	Store store.Options
	// OpenDB opens the database of a task in place of the default, which is
	// store.Open for a task with stores.
	OpenDB func(task.ID) (store.DB, error)

	// OnFailure decides what becomes of a record that can't be processed; the
	// default is to stop the instance.
	OnFailure func(*task.Failure) (task.Action, error)
	// DeadLetters is the topic for records that OnFailure sends there.
	DeadLetters string
	// Backoff is the wait before a function that failed is called again, the
	// first time.
	Backoff time.Duration
	// OnDrop decides what becomes of a record that an operator drops.
	OnDrop func(*task.Dropped) (task.Action, error)
	// HoldBytes is how many bytes of records, about, may wait for slower tasks
	// behind the repartition topics. The default is 256 MiB.
	HoldBytes int64
	// MaxFuture is how far ahead of the wall clock a timestamp may be; 0 is no
	// bound.
	MaxFuture time.Duration

	// Replication is the number of replicas of internal topics; 0 leaves it to
	// the cluster.
	Replication int16
	// StartTimeout is how long Run waits for a first answer of a broker; 0
	// means 30 s.
	StartTimeout time.Duration
	// TopicTimeout is how long Run waits for topics that aren't there; 0 means
	// 60 s, negative not at all.
	TopicTimeout time.Duration
	// TopicsEvery is how often topics that match a pattern are looked up; 0
	// means every 30 s.
	TopicsEvery time.Duration
	// StopTimeout is how long the last commit may take when Run ends; 0 means
	// 30 s.
	StopTimeout time.Duration
	// SessionTimeout, HeartbeatInterval and RebalanceTimeout are those of
	// client.GroupConfig.
	SessionTimeout    time.Duration
	HeartbeatInterval time.Duration
	RebalanceTimeout  time.Duration

	Logger *slog.Logger         // nil drops what is logged
	Clock  clock.Clock          // nil is the system's
	Meter  metric.MeterProvider // nil measures nothing
	// OnPhase is told when the phase of the instance changes. Optional; it
	// must not block.
	OnPhase func(Phase)
}

// withDefaults checks c and fills in what was left out.
func (c Config) withDefaults() (Config, error) {
	if c.App == "" {
		return c, errors.New("worker: the application has no id: set one, it names its group and its internal topics")
	}
	if c.Plan == nil {
		return c, errors.New("worker: no plan")
	}
	if err := c.Plan.Graph.Check(); err != nil {
		return c, err
	}
	if c.Client.ClientID == "" {
		c.Client.ClientID = c.App
	}
	c.Clock = clock.Or(c.Clock)
	if c.Client.Clock == nil {
		c.Client.Clock = c.Clock
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Client.Logger == nil {
		c.Client.Logger = c.Logger
	}
	if err := c.Client.Check(); err != nil {
		return c, err
	}
	if c.Instance == "" {
		c.Instance, _ = os.Hostname()
	}
	setDefault(&c.Workers, runtime.GOMAXPROCS(0))
	setDefault(&c.TopicsEvery, 30*time.Second)
	setDefault(&c.CommitInterval, 30*time.Second)
	setDefault(&c.BufferedRecords, 20_000)
	setDefault(&c.HoldBytes, 256<<20)
	setDefault(&c.CacheBytes, 64<<20)
	setDefault(&c.StartTimeout, 30*time.Second)
	setDefault(&c.TopicTimeout, 60*time.Second)
	setDefault(&c.StopTimeout, 30*time.Second)
	setDefault(&c.RebalanceTimeout, 60*time.Second)
	if c.Workers < 1 || c.CommitInterval < 0 || c.BufferedRecords < 1 {
		return c, fmt.Errorf("worker: %d workers, a commit interval of %v and %d buffered records: each must be positive", c.Workers, c.CommitInterval, c.BufferedRecords)
	}
	if c.OnFailure == nil {
		c.OnFailure = func(f *task.Failure) (task.Action, error) { return task.Fail, f }
	}
	return c, c.setOpenDB()
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

func (c *Config) setOpenDB() error {
	if c.OpenDB != nil {
		return nil
	}
	if c.StateDir == "" && len(c.Plan.Graph.Stores) > 0 {
		return fmt.Errorf("worker: application %s has state but no directory for it: set one that survives restarts", c.App)
	}
	options := c.Store
	setDefault(&options.Logger, c.Logger)
	setDefault(&options.Clock, c.Clock)
	c.OpenDB = func(id task.ID) (store.DB, error) {
		return store.Open(c.taskDir(id), options)
	}
	return nil
}

// taskDir is the directory of a task's database.
func (c *Config) taskDir(id task.ID) string {
	return filepath.Join(c.StateDir, c.App, id.String())
}
