package worker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// patternPlan tells of each record that it reads of the topics log-….
func patternPlan(got func(topic string, offset int64)) *task.Plan {
	g := &topology.Graph{}
	logs := g.Topic(topology.Topic{Name: "log-.*", Pattern: regexp.MustCompile("^log-.*$")})
	source := g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: logs})
	p := &task.Plan{Graph: g, Make: make([]func(*task.Task), 1)}
	p.Make[source.ID] = func(t *task.Task) {
		t.OnSource(logs.Physical(t.App()), func(r *record.Record) error {
			got(t.Meta().Topic, r.Offset)
			return nil
		})
	}
	return p
}

// A topic that is made while an instance runs ends it, and the next one reads it;
// what was read before isn't read again.
func TestPattern_NewTopic(t *testing.T) {
	c, cfg := newCluster(t, map[string]int32{"log-a": 2, "other": 1})
	f := newFeeder(t, cfg)
	f.send("log-a", 0, "x", 1)
	f.send("log-a", 1, "x", 1)
	f.send("other", 0, "x", 1)
	f.flush()
	var mu sync.Mutex
	var seen []string
	plan := patternPlan(func(topic string, _ int64) {
		mu.Lock()
		seen = append(seen, topic)
		mu.Unlock()
	})
	has := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == n
		}
	}
	conf := Config{App: "patterns", StateDir: t.TempDir(), Client: cfg, Plan: plan, TopicsEvery: 20 * time.Millisecond, CommitInterval: 50 * time.Millisecond}
	in, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	until(t, "both records are there", has(2))

	if err := c.broker.CreateTopic(t.Context(), "log-b", 1); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, ErrTopicsChanged) {
		t.Fatalf("Run returned %v, want ErrTopicsChanged", err)
	}
	f.send("log-b", 0, "y", 2)
	f.flush()
	if in, err = New(conf); err != nil {
		t.Fatal(err)
	}
	go func() { done <- in.Run(ctx) }()
	until(t, "the record of the new topic is there", has(3))
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if want := []string{"log-a", "log-a", "log-b"}; !slices.Equal(seen, want) {
		t.Errorf("read %v, want %v", seen, want)
	}
}

// startPlan tells of the values of topic "in", read from where start says.
func startPlan(start topic.Start, got chan<- string) *task.Plan {
	g := &topology.Graph{}
	source := g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: g.Topic(topology.Topic{Name: "in", Start: start})})
	p := &task.Plan{Graph: g, Make: make([]func(*task.Task), 1)}
	p.Make[source.ID] = func(t *task.Task) {
		t.OnSource("in", func(r *record.Record) error {
			got <- string(r.Value)
			return nil
		})
	}
	return p
}

func TestStart(t *testing.T) {
	now := time.Now().UnixMilli()
	hour := time.Hour.Milliseconds()
	for _, test := range []struct {
		name  string
		start topic.Start
		want  []string
	}{
		{"earliest", topic.Start{}, []string{"old", "young", "new"}},
		{"latest", topic.Start{From: topic.Latest}, []string{"new"}},
		{"back", topic.Start{From: topic.Back, Back: time.Hour}, []string{"young", "new"}},
		{"back to the end", topic.Start{From: topic.Back, Back: time.Minute}, []string{"new"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := startCluster(t, map[string]int32{"in": 1})
			f := newFeeder(t, cfg)
			f.send("in", 0, "old", now-2*hour)
			f.send("in", 0, "young", now-hour/2)
			f.flush()
			got := make(chan string, 10)
			a := start(t, Config{Client: cfg, Plan: startPlan(test.start, got)})
			until(t, "it runs", func() bool {
				s := a.Status()
				return len(s.Tasks) == 1 && s.Tasks[0].Running
			})
			f.send("in", 0, "new", now)
			f.flush()
			for _, want := range test.want {
				if v := <-got; v != want {
					t.Errorf("got %s, want %s", v, want)
				}
			}
		})
	}
}

func TestStart_Committed(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"in": 1})
	f := newFeeder(t, cfg)
	f.send("in", 0, "x", 1)
	f.flush()
	got := make(chan string, 1)
	in, err := New(Config{App: "app", StateDir: t.TempDir(), Client: cfg, Plan: startPlan(topic.Start{From: topic.Committed}, got)})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "FromCommitted") {
		t.Errorf("Run returned %v, want an error about FromCommitted", err)
	}
	if len(got) > 0 {
		t.Error("a record was processed")
	}
}

// slowPlan puts each record off for a while, and writes it to "out" then.
func slowPlan(d time.Duration, most *atomic.Int64) *task.Plan {
	g := &topology.Graph{}
	in, out := g.Topic(topology.Topic{Name: "in"}), g.Topic(topology.Topic{Name: "out"})
	s := g.Store(topology.Store{Name: "counts", Kind: topology.KeyValue})
	source := g.Add(&topology.Node{Op: "Stream", Kind: topology.Source, Topic: in, Stores: []*topology.Store{s}})
	g.Add(&topology.Node{Op: "To", Kind: topology.Sink, Topic: out, Inputs: []*topology.Node{source}})
	p := &task.Plan{Graph: g, Make: make([]func(*task.Task), 2)}
	p.Make[source.ID] = func(t *task.Task) {
		c := openCounts(t, s, nil) // so that commits settle
		t.OnSource("in", func(r *record.Record) error {
			value := r.Value
			pending := &task.Pending{}
			pending.Settle = func() error {
				t.Resume(pending)
				defer t.Finish(pending)
				n := c.add(string(value))
				return t.Send(&task.Outgoing{Topic: "out", Partition: -1, Key: value, Value: fmt.Append(nil, n), Time: 1, Changelog: -1})
			}
			t.PutOff(pending)
			most.Store(max(most.Load(), int64(t.Unsettled())))
			time.AfterFunc(d, func() { t.Complete(pending) })
			return nil
		})
	}
	return p
}

// Records that are put off survive commits, and an instance that leaves.
func TestPutOff(t *testing.T) {
	cfg := startCluster(t, map[string]int32{"in": 2, "out": 1})
	f := newFeeder(t, cfg)
	var most atomic.Int64
	conf := Config{Client: cfg, Plan: slowPlan(20*time.Millisecond, &most), CommitInterval: 30 * time.Millisecond}
	a := start(t, conf)
	write := func(lo, hi int) {
		for i := lo; i < hi; i++ {
			f.send("in", int32(i%2), fmt.Sprint(i), int64(i))
		}
		f.flush()
	}
	write(0, 300)
	until(t, "the first have gone through", func() bool {
		s := a.Status()
		return len(s.Tasks) == 2 && s.Tasks[0].Inputs[0].Committed > 0 && s.Tasks[1].Inputs[0].Committed > 0
	})
	write(300, 600)
	a.stop()
	<-a.done
	start(t, conf)
	got := map[string]string{}
	f.collect("out", 1, func(r record.Record) bool {
		got[string(r.Key)] = string(r.Value)
		return len(got) == 600
	})
	for v, n := range got {
		if n != "1" {
			t.Errorf("%s was counted %s times: nothing had crashed", v, n)
		}
	}
	if most.Load() < 2 {
		t.Error("there was never more than one record put off")
	}
}
