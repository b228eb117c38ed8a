package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
)

// patience is how long a test waits for something that should happen soon. It
// never is what a test measures.
const patience = 30 * time.Second

// app is an instance in a test.
type app struct {
	*Instance
	stop context.CancelFunc
	done chan error
}

func start(t *testing.T, cfg Config) *app {
	t.Helper()
	if cfg.App == "" {
		cfg.App = "app"
	}
	if cfg.CommitInterval == 0 {
		cfg.CommitInterval = 50 * time.Millisecond
	}
	if os.Getenv("LEAT_TEST_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if cfg.StateDir == "" {
		cfg.StateDir = t.TempDir()
	}
	in, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a := &app{Instance: in, stop: cancel, done: make(chan error, 1)}
	go func() { a.done <- in.Run(ctx) }()
	t.Cleanup(cancel)
	return a
}

// end stops the instance and expects that it had nothing to complain about.
func (a *app) end(t *testing.T) {
	t.Helper()
	a.stop()
	if err := a.wait(t); err != nil {
		t.Fatalf("the instance ended with %v", err)
	}
}

// wait waits for the instance to end.
func (a *app) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-a.done:
		return err
	case <-time.After(patience):
		t.Fatal("the instance doesn't end")
		return nil
	}
}

// feeder writes to topics and reads from them.
type feeder struct {
	t      *testing.T
	cfg    client.Config
	client *client.Client
	out    *client.Session
}

func newFeeder(t *testing.T, cfg client.Config) *feeder {
	t.Helper()
	c, err := client.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &feeder{t, cfg, c, c.Session(context.Background(), 0)}
}

func (f *feeder) send(topic string, partition int32, value string, at int64) {
	f.t.Helper()
	o := task.Outgoing{Topic: topic, Partition: partition, Value: []byte(value), Time: at, Changelog: -1}
	if err := f.out.Send(&o); err != nil {
		f.t.Fatal(err)
	}
}

func (f *feeder) flush() {
	f.t.Helper()
	if err := f.out.Flush(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
}

// collect reads a topic until enough says so.
func (f *feeder) collect(topic string, partitions int32, enough func(record.Record) bool) {
	f.t.Helper()
	r, err := client.NewReader(f.cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Close()
	for p := range partitions {
		r.Add(record.TopicPartition{Topic: topic, Partition: p}, 0)
	}
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	for {
		batches, err := r.Poll(ctx, 0, nil)
		if err != nil {
			f.t.Fatalf("reading %s: %v", topic, err)
		}
		for _, b := range batches {
			for _, rec := range b.Records {
				if enough(rec) {
					return
				}
			}
		}
	}
}

// highest reads counts from "out" until every word has reached its number, and
// returns how many records it has read.
func (f *feeder) highest(want map[string]int) int {
	f.t.Helper()
	got := map[string]int{}
	n := 0
	f.collect("out", 3, func(r record.Record) bool {
		n++
		v, err := strconv.Atoi(string(r.Value))
		if err != nil {
			f.t.Fatal(err)
		}
		got[string(r.Key)] = max(got[string(r.Key)], v)
		for k, w := range want {
			if got[k] > w {
				f.t.Fatalf("%s was counted %d times, want %d", k, got[k], w)
			}
			if got[k] < w {
				return false
			}
		}
		return true
	})
	return n
}

var countTopics = map[string]int32{"in": 4, "out": 3}

// words feeds n words and returns how often each was.
func (f *feeder) words(n int, into map[string]int) {
	f.t.Helper()
	for i := range n {
		w := fmt.Sprint("word", i%17)
		into[w]++
		f.send("in", int32(i%4), w, int64(i))
	}
	f.flush()
}

func TestCountsOverARestart(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	dir := t.TempDir()
	f.words(5000, want)
	for range 3 {
		a := start(t, Config{Client: cfg, Plan: countPlan(), StateDir: dir})
		f.words(3000, want)
		f.highest(want)
		a.end(t)
	}
	// Each was counted once: no instance was killed.
	sum := 0
	for _, n := range want {
		sum += n
	}
	if n := f.highest(want); n != sum {
		t.Errorf("%d counts were written, want %d", n, sum)
	}
}

func TestStateIsRestoredFromTheChangelog(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	f.words(2000, want)
	for range 2 {
		// Each time without a state directory of the last.
		a := start(t, Config{Client: cfg, Plan: countPlan(), StateDir: t.TempDir()})
		f.words(1000, want)
		f.highest(want)
		a.end(t)
	}
}

func TestInstancesShareAndHandOver(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan(), Workers: 2})
	f.words(500, want)
	f.highest(want)
	// Records come in all the time while tasks move.
	stop, fed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(fed)
		for {
			select {
			case <-stop:
				return
			default:
				f.words(50, want)
			}
		}
	}()
	b := start(t, Config{Client: cfg, Plan: countPlan(), Workers: 2})
	until(t, "both have half of the tasks", func() bool {
		return runningTasks(a) == 4 && runningTasks(b) == 4
	})
	a.end(t)
	until(t, "the second has taken over", func() bool { return runningTasks(b) == 8 })
	close(stop)
	<-fed
	// Tasks are committed before they are given up: nothing is done twice.
	f.highest(want)
	b.end(t)
}

func TestWhatIsNotCommittedIsDoneAgain(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	dir := t.TempDir()
	f.words(3000, want)
	a := start(t, Config{Client: cfg, Plan: countPlan(), StateDir: dir, CommitInterval: time.Hour})
	// Every word is processed twice: when it comes in, and when it is counted.
	until(t, "everything is processed", func() bool { return processed(a) >= 6000 })
	a.kill()
	if err := a.wait(t); err != nil {
		t.Fatal(err)
	}
	throwOut(t, cfg) // as it would be when its session times out
	b := start(t, Config{Client: cfg, Plan: countPlan(), StateDir: dir})
	// The words in the repartition topic may all be there twice, as they were
	// written at once. The first instance's counts were neither committed nor
	// in the changelog, so the second began with none.
	most := map[string]int{}
	reached := 0
	f.collect("out", 3, func(r record.Record) bool {
		w := string(r.Key)
		v, _ := strconv.Atoi(string(r.Value))
		if v > 2*want[w] {
			t.Fatalf("%s was counted %d times, want at most %d", w, v, 2*want[w])
		}
		if most[w] < want[w] && v >= want[w] {
			reached++
		}
		most[w] = max(most[w], v)
		return reached == len(want)
	})
	b.end(t)
}

func processed(a *app) (n int64) {
	for _, t := range a.Status().Tasks {
		if t.Stats != nil {
			n += t.Stats.Processed.Load()
		}
	}
	return n
}

func runningTasks(a *app) (n int) {
	for _, t := range a.Status().Tasks {
		if t.Running {
			n++
		}
	}
	return n
}

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

func TestInputsAreMergedByTime(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"left": 1, "right": 1})
	f := newFeeder(t, cfg)
	// All is on the broker before the application starts, in very uneven
	// parts: only when it knows that one side has nothing more may it go on
	// with the other.
	const n = 30_000
	for i := range n {
		if i < n/10 || i >= n/2 && i%7 == 0 {
			f.send("right", 0, "x", int64(i))
		} else {
			f.send("left", 0, "x", int64(i))
		}
	}
	f.flush()
	var log orderLog
	a := start(t, Config{Client: cfg, Plan: mergePlan(&log), BufferedRecords: 500})
	until(t, "all records are taken", func() bool { return len(log.all()) >= n })
	a.end(t)
	if times := log.all(); len(times) != n || !slices.IsSorted(times) {
		t.Errorf("%d records, sorted: %v; want %d in order of time", len(times), slices.IsSorted(times), n)
	}
}

func TestMissingTopics(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"in": 1})
	a := start(t, Config{Client: cfg, Plan: countPlan(), TopicTimeout: -1})
	var missing *MissingTopicsError
	if err := a.wait(t); !errors.As(err, &missing) || !slices.Equal(missing.Topics, []string{"out"}) {
		t.Errorf("error %v, want that topic out is missing", err)
	}
}

func TestUnreachable(t *testing.T) {
	a := start(t, Config{Client: client.Config{Brokers: []string{"127.0.0.1:1"}}, Plan: countPlan(), StartTimeout: 100 * time.Millisecond})
	if err := a.wait(t); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("error %v, want ErrUnreachable", err)
	}
}

func TestAFailingTaskStopsTheInstance(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	plan, boom := countPlan(), errors.New("boom")
	plan.Make[0] = func(t *task.Task) {
		t.OnSource("in", func(r *record.Record) error {
			if t.Partition() == 2 {
				return boom
			}
			return nil
		})
	}
	f.send("in", 1, "fine", 1)
	f.send("in", 2, "bad", 1)
	f.flush()
	a := start(t, Config{Client: cfg, Plan: plan})
	err := a.wait(t)
	var failure *task.Failure
	if !errors.Is(err, boom) || !errors.As(err, &failure) || failure.Partition != 2 || failure.Offset != 0 {
		t.Errorf("error %v, want the failure of in-2 at offset 0", err)
	}
	got, err := f.client.Committed(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	if c := got[record.TopicPartition{Topic: "in", Partition: 2}]; c.Offset > 0 {
		t.Errorf("the failing partition is committed at %d", c.Offset)
	}
}

func TestAStoreAheadOfItsChangelogIsDropped(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	dir := t.TempDir()
	// A database that was left by another cluster.
	for p := range int32(4) {
		db, err := store.Open(fmt.Sprintf("%s/app/1_%d", dir, p), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		id, err := db.Prefix("counts")
		if err != nil {
			t.Fatal(err)
		}
		var b store.Batch
		b.Put(id.Key(nil, []byte("word1")), []byte{0, 0, 0, 0, 0, 0, 0, 100})
		b.Checkpoint(id, 1000)
		if err := errors.Join(db.Write(&b), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{}
	f.words(100, want)
	a := start(t, Config{Client: cfg, Plan: countPlan(), StateDir: dir})
	f.highest(want)
	a.end(t)
}
