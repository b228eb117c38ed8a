package integration

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/internal/topology"
)

// pause lets time pass: in a bubble at once.
func pause(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	<-t.C
}

// await polls a condition for a few minutes, which in a bubble are cheap. ok
// says what is missing, "" if nothing is.
func (w *world) await(what string, ok func() string) {
	w.t.Helper()
	began := time.Now()
	for {
		missing := ok()
		if missing == "" {
			return
		}
		if time.Since(began) > 3*time.Minute {
			w.t.Fatalf("still not so after %v: %s:\n%s", time.Since(began).Round(time.Second), what, missing)
		}
		pause(50 * time.Millisecond)
	}
}

// settle waits until the app has committed all there is, twice in a row: what
// it does may make further records.
func (w *world) settle() {
	w.t.Helper()
	for range 2 {
		w.await("everything is processed and committed", w.behind)
	}
}

// behind says what isn't committed yet.
func (w *world) behind() string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var topics []string
	for _, t := range w.topo.Plan().Graph.Topics {
		if name := t.Physical(appID); t.Role == topology.Repartition || slices.Contains(shopInputs, name) {
			topics = append(topics, name)
		}
	}
	// First what is committed: with ends that are older a backlog might hide.
	committed, err := w.admin.FetchOffsets(ctx, appID)
	if err != nil {
		return err.Error()
	}
	ends, err := w.admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return err.Error()
	}
	var lines []string
	ends.Each(func(e kadm.ListedOffset) {
		c, ok := committed.Lookup(e.Topic, e.Partition)
		at := max(c.At, 0)
		if !ok {
			at = 0
		}
		if at < e.Offset {
			lines = append(lines, fmt.Sprintf("%s/%d is at %d of %d", e.Topic, e.Partition, at, e.Offset))
		}
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// read is all that is on topics, in order for each partition.
func (w *world) read(each func(*kgo.Record), topics ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	starts, err := w.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		w.t.Fatal(err)
	}
	ends, err := w.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		w.t.Fatal(err)
	}
	left := map[string]map[int32]int64{}
	ends.Each(func(e kadm.ListedOffset) {
		s, _ := starts.Lookup(e.Topic, e.Partition)
		if e.Offset > s.Offset {
			if left[e.Topic] == nil {
				left[e.Topic] = map[int32]int64{}
			}
			left[e.Topic][e.Partition] = e.Offset
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers("broker:1"), kgo.Dialer(w.dial),
		kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatalf("%v; to be read: %v", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			each(r)
			if r.Offset+1 >= left[r.Topic][r.Partition] {
				delete(left[r.Topic], r.Partition)
			}
			if len(left[r.Topic]) == 0 {
				delete(left, r.Topic)
			}
		})
	}
}

// outcome is what is on the shop's output topics.
func (w *world) outcome() result {
	w.t.Helper()
	r := result{doubled: map[string]int{}, tables: map[string]map[string]int64{}}
	w.read(func(rec *kgo.Record) {
		if err := r.take(rec.Topic, rec.Key, rec.Value); err != nil {
			w.t.Fatal(err)
		}
	}, shopOutputs...)
	return r
}
