package stream_test

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/leatstream/leat/internal/clock"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/store"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/stream"
)

// reporter is a *testing.T or a *rapid.T.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
}

// engine runs a topology on one partition, as streamtest does, but leaves it to
// the test when to commit, how much to cache and what a restart finds.
type engine struct {
	t     reporter
	topo  *stream.Topology
	cache int64
	clock *clock.Manual

	tasks   []*engineTask
	globals []task.Global
	topics  map[string][]record.Record
}

type engineTask struct {
	*task.Task
	e     *engine
	db    store.DB
	read  []int64 // by input: next offset to queue
	acked []int64 // by changelog
}

// kept is a database that outlives its task, as one on disk does.
type kept struct{ store.DB }

func (kept) Close() error { return nil }

func newEngine(t reporter, cacheBytes int64, build func(*stream.Builder)) *engine {
	t.Helper()
	topo, err := stream.Build(build)
	if err != nil {
		t.Fatalf("%v", err)
	}
	e := &engine{t: t, topo: topo, cache: cacheBytes, clock: clock.NewManual(time.UnixMilli(0)), topics: map[string][]record.Record{}}
	for _, g := range topo.Plan().Globals {
		e.globals = append(e.globals, g.New())
	}
	e.start(nil)
	return e
}

func (e *engine) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatalf("%v", err)
	}
}

// start makes the tasks, over the given databases or over empty ones.
func (e *engine) start(dbs []store.DB) {
	e.t.Helper()
	plan := e.topo.Plan()
	counts := topology.Counts{}
	for _, tp := range plan.Graph.Topics {
		counts[tp.Physical("app")] = 1
	}
	for i, sub := range plan.Graph.Subtopologies() {
		et := &engineTask{e: e}
		if dbs != nil {
			et.db = dbs[i]
		} else {
			et.db = store.NewMem()
		}
		var err error
		et.Task, err = task.New(task.Config{
			ID: task.ID{Sub: sub.Index}, App: "app", Plan: plan, Sub: sub, Counts: counts,
			DB: kept{et.db}, Out: et, Globals: e.globals, Clock: e.clock, Logger: slog.New(slog.DiscardHandler),
			CacheBytes: e.cache, OnFailure: stream.Policy(nil), Eager: true,
		})
		e.must(err)
		et.read = make([]int64, len(et.Inputs()))
		et.acked = make([]int64, len(et.Changelogs()))
		for i := range et.acked {
			et.acked[i] = -1
		}
		e.tasks = append(e.tasks, et)
	}
}

// Send implements task.Output.
func (t *engineTask) Send(o *task.Outgoing) error {
	next := t.e.append(o.Topic, record.Record{Key: o.Key, Value: o.Value, Headers: o.Headers, Time: o.Time})
	if o.Changelog >= 0 {
		t.acked[o.Changelog] = next
	}
	return nil
}

func (e *engine) append(topic string, r record.Record) (next int64) {
	r.Offset = int64(len(e.topics[topic]))
	e.topics[topic] = append(e.topics[topic], r)
	return r.Offset + 1
}

// send writes a record and processes it and what comes of it, without a commit.
func (e *engine) send(topic, key string, value []byte, ts int64) {
	e.t.Helper()
	e.append(topic, record.Record{Key: []byte(key), Value: value, Time: ts})
	e.run()
}

// run processes all there is, and reports whether there was something.
func (e *engine) run() (ran bool) {
	e.t.Helper()
	for busy := true; busy; ran = ran || busy {
		busy = false
		for _, t := range e.tasks {
			for i, tp := range t.Inputs() {
				recs := e.topics[tp.Topic][t.read[i]:]
				t.Add(i, recs, 0)
				t.read[i] += int64(len(recs))
			}
			n, err := t.Step(1 << 20)
			e.must(err)
			busy = busy || n > 0
			if t.CommitRequested() {
				t.commit()
				busy = true
			}
		}
	}
	return ran
}

func (t *engineTask) commit() {
	t.e.t.Helper()
	t.e.must(t.Flush())
	t.e.must(t.Persist(func(i int) int64 { return t.acked[i] }))
}

// commit commits every task, and what the commit causes, until all is quiet.
func (e *engine) commit() {
	e.t.Helper()
	for again := true; again; {
		for _, t := range e.tasks {
			t.commit()
		}
		again = e.run()
	}
}

// restart commits, ends the tasks and begins anew: over the databases that
// there are, or over empty ones that the changelogs restore.
func (e *engine) restart(empty bool) {
	e.t.Helper()
	e.commit()
	old := e.tasks
	e.tasks = nil
	var dbs []store.DB
	for _, t := range old {
		e.must(t.Close())
		dbs = append(dbs, t.db)
	}
	if empty {
		dbs = nil
	}
	e.start(dbs)
	for i, t := range e.tasks {
		copy(t.read, old[i].read)
		t.Recall(old[i].Metadata())
		for c, log := range t.Changelogs() {
			recs := e.topics[log.Topic]
			if log.Next > int64(len(recs)) {
				e.t.Fatalf("the database of %s is at %d of %d records of its changelog", log.Store, log.Next, len(recs))
			}
			if !empty && log.Next != int64(len(recs)) {
				e.t.Fatalf("the database of %s is at %d of %d records of its changelog after a commit", log.Store, log.Next, len(recs))
			}
			if recs = recs[log.Next:]; len(recs) > 0 {
				e.must(t.Restore(c, recs))
				e.must(t.Restored(c, log.Next+int64(len(recs))))
			}
			t.acked[c] = log.Next + int64(len(recs))
		}
	}
}

// lines is a topic's records as text, one a line.
func (e *engine) lines(topic string) []string {
	var lines []string
	for _, r := range e.topics[topic] {
		lines = append(lines, fmt.Sprintf("%q %q @%d", r.Key, r.Value, r.Time))
	}
	return lines
}

// rows is a topic as a table: the last value of each key.
func (e *engine) rows(topic string) map[string]string {
	rows := map[string]string{}
	for _, r := range e.topics[topic] {
		if r.Value == nil {
			delete(rows, string(r.Key))
		} else {
			rows[string(r.Key)] = string(r.Value)
		}
	}
	return rows
}
