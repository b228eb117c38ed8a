package broker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// assigned follows which partitions a client has.
type assigned struct {
	mu   sync.Mutex
	has  map[int32]bool
	name string
}

func (a *assigned) add(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range m["t"] {
		a.has[p] = true
	}
}

func (a *assigned) drop(_ context.Context, _ *kgo.Client, m map[string][]int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range m["t"] {
		delete(a.has, p)
	}
}

func (a *assigned) partitions() []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(a.has))
}

// member starts a consumer of topic t in group g that polls until the test is
// over.
func member(t *testing.T, b *Broker, name string, got func(*kgo.Record)) (*kgo.Client, *assigned) {
	t.Helper()
	a := &assigned{has: map[int32]bool{}, name: name}
	c := client(t, b, kgo.ClientID(name), kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.OnPartitionsAssigned(a.add), kgo.OnPartitionsRevoked(a.drop), kgo.OnPartitionsLost(a.drop),
		kgo.HeartbeatInterval(100*time.Millisecond), kgo.SessionTimeout(6*time.Second))
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		for ctx.Err() == nil {
			c.PollFetches(ctx).EachRecord(got)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return c, a
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestGroup_ThreeMembersComeAndGo(t *testing.T) {
	transports(t, func(t *testing.T, b *Broker) {
		const partitions, records = 6, 600
		if err := b.CreateTopic(t.Context(), "t", partitions); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		seen := map[string]int{}
		got := func(r *kgo.Record) {
			mu.Lock()
			defer mu.Unlock()
			seen[string(r.Value)]++
		}
		var members []*assigned
		var clients []*kgo.Client
		for i := range 3 {
			c, a := member(t, b, fmt.Sprint("m", i), got)
			members, clients = append(members, a), append(clients, c)
		}
		balanced := func(each int) func() bool {
			return func() bool {
				var all []int32
				for _, m := range members {
					ps := m.partitions()
					if len(ps) != each {
						return false
					}
					all = append(all, ps...)
				}
				slices.Sort(all)
				return len(slices.Compact(all)) == partitions
			}
		}
		eventually(t, "three members have two partitions each", balanced(2))
		produce(t, client(t, b), "t", numbers("v", records)...)
		eventually(t, "all records are consumed", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(seen) == records
		})
		clients[2].Close()
		members = members[:2]
		eventually(t, "two members have three partitions each", balanced(3))

		adm := kadm.NewClient(client(t, b))
		ds, err := adm.DescribeGroups(timeout(t), "g")
		if d := ds["g"]; err != nil || d.State != "Stable" || len(d.Members) != 2 || d.Protocol != "cooperative-sticky" {
			t.Errorf("group: %+v, %v", d, err)
		}
	})
}

func TestGroup_SurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Config{Dir: dir, Listen: "127.0.0.1:0"})
	if err := b.CreateTopic(t.Context(), "t", 2); err != nil {
		t.Fatal(err)
	}
	_, a := member(t, b, "m", func(*kgo.Record) {})
	eventually(t, "the member has its partitions", func() bool { return len(a.partitions()) == 2 })
	addr := b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, Config{Dir: dir, Listen: addr})
	adm := kadm.NewClient(client(t, b))
	ds, err := adm.DescribeGroups(timeout(t), "g")
	if d := ds["g"]; err != nil || d.State != "Stable" || len(d.Members) != 1 {
		t.Errorf("group after restart: %+v, %v", d, err)
	}
	if got := a.partitions(); len(got) != 2 {
		t.Errorf("the member lost its partitions: %v", got)
	}
}
