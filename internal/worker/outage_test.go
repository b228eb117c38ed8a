package worker

import (
	"testing"
	"time"
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
