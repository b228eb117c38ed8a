package worker

import (
	"strconv"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/record"
)

func TestABrokerThatComesBack(t *testing.T) {
	c, cfg := newCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan()})
	f.words(500, want)
	f.highest(want)
	c.down()
	refused := c.refused.Load()
	until(t, "the clients have tried in vain", func() bool { return c.refused.Load() > refused+10 })
	c.up()
	f.words(500, want)
	f.highest(want)
	a.end(t)
}

func TestStopWhileTheBrokerIsDown(t *testing.T) {
	c, cfg := newCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan(), StopTimeout: 200 * time.Millisecond, CommitInterval: time.Hour})
	f.words(500, want)
	until(t, "something is processed", func() bool { return processed(a) > 0 })
	c.down()
	a.end(t)
}

func TestAnInstanceThatWasThrownOut(t *testing.T) {
	_, cfg := newCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan()})
	for range 3 {
		f.words(500, want)
		f.reached(want)
		member := a.group.Member()
		if err := f.client.Evict(t.Context(), "app", member); err != nil {
			t.Fatal(err)
		}
		f.words(500, want)
		until(t, "it is another member", func() bool { m := a.group.Member(); return m != "" && m != member })
	}
	f.reached(want)
	a.end(t)
}

func TestTasksThatBeginAgain(t *testing.T) {
	_, cfg := newCluster(t, countTopics)
	f := newFeeder(t, cfg)
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: countPlan()})
	f.words(500, want)
	f.reached(want)
	before := a.group.Generation()
	a.group.Renounce()
	until(t, "it has joined again", func() bool { return a.group.Generation() > before+1 })
	f.words(500, want)
	f.reached(want)
	a.end(t)
}

// reached waits until every word was counted as often as wanted, or more: some
// records may have been processed twice.
func (f *feeder) reached(want map[string]int) {
	f.t.Helper()
	got := map[string]int{}
	f.collect("out", 3, func(r record.Record) bool {
		n, err := strconv.Atoi(string(r.Value))
		if err != nil {
			f.t.Fatal(err)
		}
		got[string(r.Key)] = n // the last one counts
		for k, w := range want {
			if got[k] < w {
				return false
			}
		}
		return true
	})
}
