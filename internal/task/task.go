package task

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/topology"
)

// ID names a task: a sub-topology and a partition of it.
type ID struct {
	Sub       int
	Partition int32
}

func (id ID) String() string { return fmt.Sprintf("%d_%d", id.Sub, id.Partition) }

// Plan is a built topology: the graph, and for each node the function that
// hangs its typed closures into a task. It is immutable and shared by tasks.
type Plan struct {
	Graph *topology.Graph
	Make  []func(*Task) // by node id; nil where there is nothing to do
	// Globals makes the state of the global tables, by index; one set serves
	// all tasks of an instance.
	Globals []GlobalTable
	// LikeKafka gives dead letters the headers of Kafka Streams, and keeps no
	// order behind repartition topics.
	LikeKafka bool
}

// GlobalTable is a table that every instance holds whole.
type GlobalTable struct {
	Node *topology.Node
	New  func() Global
}

// Global is the open state of a global table. Apply is called by one goroutine
// while tasks read.
type Global interface {
	// Apply takes over records of one partition, in order.
	Apply(tp record.TopicPartition, recs []record.Record) error
	// Len is the number of rows.
	Len() int
}

// Outgoing is a record on its way out. Key and Value belong to the receiver
// from the call of Send on; the struct itself is the sender's again after it.
type Outgoing struct {
	Topic     string
	Partition int32 // -1: by the key
	Key       []byte
	Value     []byte
	Headers   []record.Header
	Time      int64 // milliseconds since the epoch
	Changelog int   // index of the changelog it belongs to, -1 if none
}

// Output takes the records that a task writes. Send does not wait; what can't
// be written poisons the output, and the next Flush of it says so.
type Output interface {
	Send(*Outgoing) error
}

// Config is what a task needs of its world.
type Config struct {
	ID     ID
	App    string // application id: the prefix of internal topics
	Plan   *Plan
	Sub    *topology.Subtopology
	Counts topology.Counts // partitions of the source topics
	// Partitions is the number of partitions of any other topic; nil: 1 each.
	Partitions func(topic string) (int, error)
	DB         store.DB
	Out        Output
	Globals    []Global // by index, as in Plan.Globals
	Clock      clock.Clock
	Logger     *slog.Logger
	// CacheBytes is the budget of the task's caches, shared by its stores.
	CacheBytes int64
	// OnFailure decides what happens to a record that can't be processed. It
	// returns the error that stops the task, or nil to go on without it.
	OnFailure func(*Failure) (Action, error)
	// Backoff is the wait before the second attempt, which doubles from there.
	Backoff time.Duration
	// Wait waits in the place of Clock, if it is not nil.
	Wait func(time.Duration)
	// DeadLetters is the topic for records with the action DeadLetter.
	DeadLetters string
	// OnDrop decides what happens to a record that an operator drops, beside
	// being counted. nil only counts. With Fail it returns the error that stops
	// the task.
	OnDrop func(*Dropped) (Action, error)
	// Peers are the tasks that write to a repartition topic which the task
	// reads, by the topic's name on the broker, where their order is kept.
	Peers map[string][]ID
	// Feeds are the repartition topics that the task writes to, and their
	// partitions, where the tasks behind them keep an order.
	Feeds map[string]int32
	// Flow is shared by the tasks of an instance; nil keeps no order.
	Flow *Flow
	// MaxFuture is how far ahead of the wall clock a record's timestamp may be,
	// in milliseconds; others are dropped. 0 is no bound.
	MaxFuture int64
	// Eager lets the task go on while an input's emptiness is not confirmed.
	Eager bool
	// Context is done when the task is told to end. nil is context.Background.
	Context context.Context
	// Recycle, if set, gets back the slices given to Add when they are used up.
	Recycle func([]record.Record)
	// Wake, if set, is called by any goroutine when the task has something to go
	// on with that was put off.
	Wake func()
	// Settled lets the task commit only when nothing is put off, and results come
	// in the order of the records.
	Settled bool
}

// Task is one partition of a sub-topology at work. It is not safe for
// concurrent use, but for Stats.
type Task struct {
	cfg      Config
	inputs   []*input
	ports    []any // by node id: *dsl.Port of the node's output
	sources  map[string]func(*record.Record) error
	stampers map[string]Stamper
	stores   []openStore
	byStream punctuations
	byWall   punctuations
	opened   map[string]any // typed stores by name, for processors
	closers  []func() error

	meta       record.Meta
	streamTime int64 // highest timestamp taken so far, -1 at first
	times      []namedTime
	undrained  int   // inputs that are being read before others
	nextStream int64 // when the next stream-time punctuation is due
	commitSoon bool
	rejected   error  // by a node while it was made
	ended      error  // why the task can't go on
	told       []Drop // what of the record in process was dropped
	watches    []*Watch
	onTime     []func(ms int64) error
	ordered    bool    // an input waits for slower tasks
	teller     *teller // nil without a repartition topic to write to
	only       int     // the input that StepInput takes from, -1 for any
	idle       *idle   // nil unless silence moves time
	future     int64   // timestamps up to here were found not to be too far ahead
	poison     error   // of an iteration; no commit may follow it
	arena      Arena
	batch      store.Batch
	current    *record.Record // in process, nil between records
	pending    *pendings      // nil until a record is put off

	stats Stats
}

// Stats are figures that may be read while the task runs.
type Stats struct {
	Processed  atomic.Int64 // records taken from the inputs
	Buffered   atomic.Int64 // records in the queues
	StreamTime atomic.Int64 // milliseconds since the epoch, -1 at first
	Drops      Drops
}

// New makes a task: its inputs, its nodes and its open stores. The stores are
// empty or as the last Persist left them until Restore has caught up.
func New(cfg Config) (*Task, error) {
	t := &Task{
		cfg:        cfg,
		ports:      make([]any, len(cfg.Plan.Graph.Nodes)),
		sources:    map[string]func(*record.Record) error{},
		opened:     map[string]any{},
		streamTime: -1,
		nextStream: never,
		future:     -1,
		only:       -1,
	}
	t.keepTime("", &t.streamTime)
	t.stats.StreamTime.Store(-1)
	for _, n := range cfg.Sub.Nodes {
		mk := cfg.Plan.Make[n.ID]
		if mk == nil {
			continue
		}
		mk(t)
	}
	if t.rejected != nil {
		return nil, fmt.Errorf("task %s: %w", cfg.ID, t.rejected)
	}
	for _, s := range t.stores {
		if s.err != nil {
			return nil, fmt.Errorf("task %s: store %q: %w", cfg.ID, s.spec.Name, s.err)
		}
	}
	for _, n := range cfg.Sub.Sources {
		t.addInputs(n)
	}
	t.watchIdle()
	if cfg.Flow != nil {
		t.teller = newTeller(cfg.Feeds)
	}
	return t, nil
}

// ID is the task's name.
func (t *Task) ID() ID { return t.cfg.ID }

// Stats are the task's figures; they stay readable after Close.
func (t *Task) Stats() *Stats { return &t.stats }

// Inputs are the partitions the task reads, in the order of their indexes.
func (t *Task) Inputs() []record.TopicPartition {
	tps := make([]record.TopicPartition, len(t.inputs))
	for i, in := range t.inputs {
		tps[i] = in.tp
	}
	return tps
}

// Close ends the nodes and the database. What was not persisted is restored
// from the changelogs by the next owner.
func (t *Task) Close() error {
	for _, in := range t.inputs {
		if in.order != nil {
			in.order.drop()
		}
	}
	var errs []error
	for _, c := range t.closers {
		errs = append(errs, c())
	}
	if t.cfg.DB != nil {
		errs = append(errs, t.cfg.DB.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("task %s: close: %w", t.cfg.ID, err)
	}
	return nil
}
