package streamtest

import (
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// App is the application id under which a Driver runs the topology.
const App = "app"

// Start is the time at which a Driver's clock begins.
var Start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// Driver runs one topology. It is used by one goroutine.
type Driver struct {
	t        reporter
	topology *stream.Topology
	onError  func(*stream.RecordError) stream.Action
	onDrop   func(*stream.DroppedRecord) stream.Action
	future   time.Duration
	clock    *clock.Manual
	logger   *slog.Logger

	tasks   []*running
	globals []task.Global
	topics  map[string]*log
	queue   []delivery      // records on their way to tasks
	heads   *headQueue      // nil: each task has its own order
	known   map[string]bool // topics that were sent to or written
	failed  error
}

// running is a task with what the driver knows of it.
type running struct {
	*task.Task
	sub    *topology.Subtopology
	inputs map[string]int
	acked  []int64 // by changelog: offset after the last record
}

// log is everything that was ever written to a topic.
type log struct {
	recs []record.Record
	read int
}

type delivery struct {
	topic string
	rec   record.Record
}

// Option changes how a Driver runs the topology.
type Option func(*Driver)

// OnError is [stream.Config.OnError]. Without it a record that can't be
// processed fails the test.
func OnError(f func(*stream.RecordError) stream.Action) Option {
	return func(d *Driver) { d.onError = f }
}

// OnDrop is [stream.Config.OnDrop].
func OnDrop(f func(*stream.DroppedRecord) stream.Action) Option {
	return func(d *Driver) { d.onDrop = f }
}

// MaxFuture is [stream.Config.MaxFuture]. Without it a Driver takes records of any
// time, since its clock stands still.
func MaxFuture(bound time.Duration) Option {
	return func(d *Driver) { d.future = bound }
}

// DeadLetters is the topic to which a Driver writes records for which OnError or
// OnDrop returns stream.DeadLetter.
const DeadLetters = App + "-dead-letters"

// New returns a driver of a topology, which ends with the test.
func New(t testing.TB, topo *stream.Topology, opts ...Option) *Driver {
	t.Helper()
	d := newDriver(t, topo, opts)
	t.Cleanup(d.stop)
	return d
}

func newDriver(t reporter, topo *stream.Topology, opts []Option) *Driver {
	t.Helper()
	d := &Driver{
		t: t, topology: topo, clock: clock.NewManual(Start), topics: map[string]*log{},
		logger: slog.New(slog.DiscardHandler),
	}
	for _, o := range opts {
		o(d)
	}
	plan := topo.Plan()
	for _, g := range plan.Globals {
		d.globals = append(d.globals, g.New())
	}
	d.start()
	return d
}

// start makes the tasks, with empty databases.
func (d *Driver) start() {
	d.t.Helper()
	plan := d.topology.Plan()
	external := topology.Counts{}
	for _, tp := range plan.Graph.Topics {
		if tp.Pattern == nil {
			external[tp.Name] = 1
		}
	}
	counts, err := plan.Graph.Resolve(App, external)
	if err != nil {
		d.t.Fatalf("streamtest: %v", err)
	}
	for tp := range counts {
		counts[tp] = 1 // whatever number a repartition topic asks for
	}
	for _, sub := range plan.Graph.Subtopologies() {
		r := &running{sub: sub, inputs: map[string]int{}}
		r.Task, err = task.New(task.Config{
			ID: task.ID{Sub: sub.Index}, App: App, Plan: plan, Sub: sub, Counts: counts,
			DB: store.NewMem(), Out: &output{d, r}, Globals: d.globals,
			Clock: d.clock, Logger: d.logger, CacheBytes: 64 << 20,
			Settled:   true,
			OnFailure: stream.Policy(d.onError), DeadLetters: DeadLetters, Eager: true,
			OnDrop: stream.DropPolicy(d.onDrop), MaxFuture: d.future.Milliseconds(),
			Backoff: time.Millisecond, Wait: func(by time.Duration) { d.clock.Advance(by) },
		})
		if err != nil {
			d.t.Fatalf("streamtest: %v", err)
		}
		for i, tp := range r.Inputs() {
			r.inputs[tp.Topic] = i
		}
		for name := range d.known {
			d.attach(r, name)
		}
		r.acked = make([]int64, len(r.Changelogs()))
		for i := range r.acked {
			r.acked[i] = -1
		}
		d.tasks = append(d.tasks, r)
	}
}

func (d *Driver) stop() {
	for _, r := range d.tasks {
		if err := r.Close(); err != nil {
			d.t.Errorf("streamtest: %v", err)
		}
	}
	d.tasks = nil
}

// Restart ends the tasks and starts them again with empty databases, restored
// from their changelogs: what an instance does that takes over after a crash.
func (d *Driver) Restart() {
	d.t.Helper()
	committed := make([]string, len(d.tasks))
	for i, r := range d.tasks {
		committed[i] = r.Metadata()
	}
	d.stop()
	d.start()
	for i, r := range d.tasks {
		r.Recall(committed[i])
		for i, c := range r.Changelogs() {
			recs := d.log(c.Topic).recs
			if err := r.Restore(i, recs); err != nil {
				d.t.Fatalf("streamtest: %v", err)
			}
			if err := r.Restored(i, int64(len(recs))); err != nil {
				d.t.Fatalf("streamtest: %v", err)
			}
			r.acked[i] = int64(len(recs))
		}
	}
}

// RestartAfter is Restart with a pause in which nothing runs, but the wall clock.
func (d *Driver) RestartAfter(pause time.Duration) {
	d.t.Helper()
	d.clock.Advance(pause)
	d.Restart()
}

func (d *Driver) log(topic string) *log {
	l := d.topics[topic]
	if l == nil {
		l = &log{}
		d.topics[topic] = l
	}
	return l
}

// append writes a record to a topic and queues it for whoever reads it.
func (d *Driver) append(topic string, r record.Record) int64 {
	l := d.log(topic)
	r.Offset = int64(len(l.recs))
	r.LeaderEpoch = -1
	l.recs = append(l.recs, r)
	d.queue = append(d.queue, delivery{topic, r})
	return r.Offset
}

// output is where a task's records go.
type output struct {
	d *Driver
	r *running
}

// Send implements task.Output.
func (o *output) Send(out *task.Outgoing) error {
	off := o.d.append(out.Topic, record.Record{Key: out.Key, Value: out.Value, Headers: out.Headers, Time: out.Time})
	if out.Changelog >= 0 {
		o.r.acked[out.Changelog] = off + 1
	}
	return nil
}

// Send writes a record to an input topic, with the clock's time, and runs the
// topology until nothing is left to do.
func (d *Driver) Send[K, V any](to topic.Topic[K, V], key K, value V) {
	d.t.Helper()
	d.SendAt(to, key, value, d.clock.Now())
}

// SendAt is Send with a timestamp.
func (d *Driver) SendAt[K, V any](to topic.Topic[K, V], key K, value V, at time.Time) {
	d.t.Helper()
	k, err := encode(to.Key(), key)
	if err != nil {
		d.t.Fatalf("streamtest: encode the key for %s: %v", to, err)
	}
	v, err := encode(to.Value(), value)
	if err != nil {
		d.t.Fatalf("streamtest: encode the value for %s: %v", to, err)
	}
	d.SendRaw(to.Name(), k, v, at)
}

// encode writes nil as null, as the sinks do.
func encode[T any](s serde.Serde[T], v T) ([]byte, error) {
	if isNull := null.Test[T](); isNull != nil && isNull(v) {
		return nil, nil
	}
	return s.Append([]byte{}, v)
}

// SendRaw writes a record of bytes; a nil key or value is null.
func (d *Driver) SendRaw(to string, key, value []byte, at time.Time, headers ...stream.Header) {
	d.t.Helper()
	d.append(to, record.Record{Key: key, Value: value, Time: at.UnixMilli(), Headers: headers})
	d.run()
}

// Delete writes a tombstone for a key to an input topic.
func (d *Driver) Delete[K, V any](to topic.Topic[K, V], key K) {
	d.t.Helper()
	k, err := encode(to.Key(), key)
	if err != nil {
		d.t.Fatalf("streamtest: encode the key for %s: %v", to, err)
	}
	d.SendRaw(to.Name(), k, nil, d.clock.Now())
}

// Advance moves the wall clock, fires what is due by it, and runs the topology.
func (d *Driver) Advance(by time.Duration) {
	d.t.Helper()
	d.clock.Advance(by)
	for _, r := range d.tasks {
		d.check(r.Punctuate())
		d.commit(r)
	}
	d.run()
}

// Now is the clock's time.
func (d *Driver) Now() time.Time { return d.clock.Now() }

// Err is the error that stopped the topology, a *stream.RecordError, if OnError
// let it: without that option the test has failed instead.
func (d *Driver) Err() error { return d.failed }

// run processes queued records one by one until none is left.
func (d *Driver) run() {
	d.t.Helper()
	for d.failed == nil {
		for _, next := range d.queue {
			d.deliver(next)
		}
		d.queue = d.queue[:0]
		if d.heads != nil {
			if !d.heads.step() {
				return
			}
			continue
		}
		busy := false
		for _, r := range d.tasks {
			n, err := r.Step(1)
			d.check(err)
			if n > 0 {
				d.commit(r)
				busy = true
			}
		}
		if !busy {
			return
		}
	}
}

func (d *Driver) deliver(next delivery) {
	d.discover(next.topic)
	for i, g := range d.topology.Plan().Globals {
		if g.Node.Topic.Name == next.topic {
			d.check(d.globals[i].Apply(record.TopicPartition{Topic: next.topic}, []record.Record{next.rec}))
		}
	}
	for _, r := range d.tasks {
		if i, ok := r.inputs[next.topic]; ok {
			if d.heads != nil {
				d.heads.add(r, i, next.rec)
				continue
			}
			r.Add(i, []record.Record{next.rec}, 0)
		}
	}
}

func (d *Driver) commit(r *running) {
	// A task that asks for a commit while it commits has put something off.
	for again := true; again && d.failed == nil; again = r.CommitRequested() {
		d.check(r.Flush())
		if d.failed == nil {
			d.check(r.Persist(func(changelog int) int64 { return r.acked[changelog] }))
		}
	}
}

func (d *Driver) check(err error) {
	d.t.Helper()
	if err == nil || d.failed != nil {
		return
	}
	d.failed = err
	if d.onError == nil {
		d.t.Fatalf("streamtest: %v", err)
	}
}

// Dropped is how many records were dropped for a reason ("late", "null-key",
// …), over all operators.
func (d *Driver) Dropped(reason string) int64 {
	var sum int64
	for _, r := range d.tasks {
		r.Stats().Drops.Each(func(drop task.Drop, n int64) {
			if drop.Reason == reason {
				sum += n
			}
		})
	}
	return sum
}

// Read yields the records that were written to a topic since the last Read or
// Records of it, without tombstones.
func (d *Driver) Read[K, V any](from topic.Topic[K, V]) iter.Seq2[K, V] {
	d.t.Helper()
	recs := d.Records(from)
	return func(yield func(K, V) bool) {
		for _, r := range recs {
			if !r.NoValue && !yield(r.Key, r.Value) {
				return
			}
		}
	}
}
