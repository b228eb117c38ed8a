package worker

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// rows is a global table that keeps what it is given.
type rows struct {
	mu sync.Mutex
	m  map[string]string
}

func (r *rows) Apply(_ record.TopicPartition, recs []record.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range recs {
		if string(rec.Value) == "poison" {
			return errors.New("bad row")
		}
		r.m[string(rec.Value)] = "seen"
	}
	return nil
}

func (r *rows) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.m)
}

// lookupPlan writes down for each record of "in" how many rows the global table
// over "side" has.
func lookupPlan(seen chan<- int) *task.Plan {
	g := &topology.Graph{}
	side := g.Add(&topology.Node{Op: "GlobalTable", Kind: topology.Global, Topic: g.Topic(topology.Topic{Name: "side"})})
	source := g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: g.Topic(topology.Topic{Name: "in"})})
	p := &task.Plan{Graph: g, Make: make([]func(*task.Task), 2)}
	p.Globals = []task.GlobalTable{{Node: side, New: func() task.Global { return &rows{m: map[string]string{}} }}}
	p.Make[source.ID] = func(t *task.Task) {
		t.OnSource("in", func(*record.Record) error {
			seen <- t.Global(0).Len()
			return nil
		})
	}
	return p
}

func TestGlobalTables(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"in": 1, "side": 3})
	f := newFeeder(t, cfg)
	for i, v := range []string{"a", "b", "c", "d"} {
		f.send("side", int32(i%3), v, 1)
	}
	f.send("in", 0, "x", 1)
	f.flush()
	seen := make(chan int, 10)
	a := start(t, Config{Client: cfg, Plan: lookupPlan(seen)})
	if n := <-seen; n != 4 {
		t.Errorf("the first record saw %d rows, want all 4", n)
	}
	f.send("side", 0, "e", 1)
	f.flush()
	until(t, "the table has grown", func() bool { return a.Globals()[0].Len() == 5 })
	f.send("side", 1, "poison", 1)
	f.flush()
	if err := a.wait(t); err == nil || !strings.Contains(err.Error(), "bad row") {
		t.Errorf("ended with %v, want what was wrong with the row", err)
	}
}

func TestOnlyGlobalTables(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"side": 1})
	f := newFeeder(t, cfg)
	f.send("side", 0, "a", 1)
	f.flush()
	plan := lookupPlan(nil)
	plan.Graph.Nodes = plan.Graph.Nodes[:1]
	a := start(t, Config{Client: cfg, Plan: plan})
	until(t, "it runs", func() bool { return a.Status().Phase == Running })
	a.end(t)
}

func TestProcessedRecordsOfRepartitionTopicsAreDeleted(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan()})
	f.words(500, want)
	f.highest(want)
	a.end(t)
	before := a.purge.below
	if len(before) != 4 {
		t.Fatalf("%d partitions to purge, want 4", len(before))
	}
	// The client of an instance that has ended is closed.
	a.client = f.client
	a.purge.delete(t.Context())
	var tps []record.TopicPartition
	for tp := range before {
		tps = append(tps, tp)
	}
	starts, err := f.client.Starts(t.Context(), tps)
	if err != nil {
		t.Fatal(err)
	}
	for tp, below := range before {
		if starts[tp] != below {
			t.Errorf("%s starts at %d, want %d", tp, starts[tp], below)
		}
	}
}

func TestTasksThatWereLostComeBack(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	lost := make(chan struct{}, 100)
	a := start(t, Config{Client: cfg, Plan: countPlan(), HeartbeatInterval: 20 * time.Millisecond, OnPhase: func(p Phase) {
		if p == Restoring {
			lost <- struct{}{}
		}
	}})
	f.words(500, want)
	f.highest(want)
	<-lost // the first time it isn't lost but new
	until(t, "all is committed", func() bool { return lag(a) == 0 })
	throwOut(t, cfg)
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the instance hasn't noticed that it was thrown out")
	}
	f.words(500, want)
	f.highest(want)
	a.end(t)
}

func lag(a *app) (n int64) {
	for _, t := range a.Status().Tasks {
		for _, in := range t.Inputs {
			n += max(in.End, 0) - max(in.Committed, 0)
		}
	}
	return n
}

// throwOut removes all members of the group, as the coordinator does with those
// it takes for dead.
func throwOut(t *testing.T, cfg client.Config) {
	t.Helper()
	k, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...), kgo.Dialer(cfg.Dial))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{"app"}
	groups, err := describe.RequestWith(t.Context(), k)
	if err != nil || len(groups.Groups) != 1 || len(groups.Groups[0].Members) == 0 {
		t.Fatalf("members of the group: %+v, %v", groups, err)
	}
	for _, m := range groups.Groups[0].Members {
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group, leave.MemberID = "app", m.MemberID
		leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.MemberID}}
		if _, err := leave.RequestWith(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFiguresOfARunningInstance(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	reader := metric.NewManualReader()
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan(), Meter: metric.NewMeterProvider(metric.WithReader(reader))})
	f.words(300, want)
	f.highest(want)
	until(t, "all is committed", func() bool { return lag(a) == 0 })
	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	sums := map[string]int64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				sums[m.Name] += p.Value
			}
		case metricdata.Gauge[int64]:
			for _, p := range d.DataPoints {
				sums[m.Name] += p.Value
			}
		}
	}
	if sums["leat.records"] != 600 || sums["leat.task.records"] != 600 || sums["leat.partition.lag"] != 0 || sums["leat.commits"] == 0 || sums["leat.task.state.size"] == 0 {
		t.Errorf("figures: %v", sums)
	}
	if shards := a.Shards("counts"); len(shards) != 4 {
		t.Errorf("%d parts of the store, want 4", len(shards))
	}
	if shards := a.Shards("none"); len(shards) != 0 {
		t.Errorf("%d parts of a store that isn't there", len(shards))
	}
	a.end(t)
}

func TestMaxTaskIdleWaitsForRecordsThatAreNotWrittenYet(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"left": 1, "right": 1})
	f := newFeeder(t, cfg)
	f.send("left", 0, "x", 2)
	f.flush()
	var log orderLog
	a := start(t, Config{Client: cfg, Plan: mergePlan(&log), MaxTaskIdle: time.Hour})
	until(t, "the record waits", func() bool {
		for _, u := range a.Status().Tasks {
			if u.Stats != nil && u.Stats.Buffered.Load() == 1 && u.Inputs[1].End == 0 {
				return true
			}
		}
		return false
	})
	f.send("right", 0, "x", 1)
	f.flush()
	until(t, "the earlier record is taken", func() bool { return len(log.all()) == 1 })
	if times := log.all(); times[0] != 1 {
		t.Errorf("the first record taken is that of time %d, want 1", times[0])
	}
	a.end(t)
}
