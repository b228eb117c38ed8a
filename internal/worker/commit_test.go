package worker

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/leatstream/leat/internal/record"
)

// When a store goes to disk, all it contains must be in its changelog, and what
// it was made of must be committed: see commit.go.
func TestAStoreIsBehindEverythingElse(t *testing.T) {
	cfg := startCluster(t, countTopics)
	f := newFeeder(t, cfg)
	var checked atomic.Int64
	var wrong atomic.Pointer[string]
	complain := func(format string, args ...any) {
		s := fmt.Sprintf(format, args...)
		wrong.CompareAndSwap(nil, &s)
	}
	plan := countPlanThat(func(c *counts) {
		if len(c.pending) == 0 {
			return
		}
		p := c.t.Partition()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		committed, err := f.client.Committed(ctx, "app")
		if err != nil {
			complain("%v", err)
			return
		}
		counted := uint64(0)
		for _, n := range c.n {
			counted += n
		}
		by := record.TopicPartition{Topic: "app-by-repartition", Partition: p}
		if got := committed[by].Offset; got != int64(counted) {
			complain("partition %d: %d records are in the store, %d are committed", p, counted, got)
		}
		log := record.TopicPartition{Topic: c.topic, Partition: p}
		ends, err := f.client.Ends(ctx, []record.TopicPartition{log})
		if err != nil || ends[log] < int64(len(c.pending)) {
			complain("partition %d: %d changes are pending, the changelog ends at %d (%v)", p, len(c.pending), ends[log], err)
		}
		checked.Add(1)
	})
	plan.LikeKafka = true // without records that tell of progress, offsets count records
	want := map[string]int{}
	a := start(t, Config{Client: cfg, Plan: plan, CommitInterval: 10 * time.Millisecond})
	for range 10 {
		f.words(500, want)
	}
	f.highest(want)
	a.end(t)
	if w := wrong.Load(); w != nil {
		t.Error(*w)
	}
	if checked.Load() == 0 {
		t.Error("no store was written")
	}
}
