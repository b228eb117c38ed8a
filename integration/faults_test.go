package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/internal/worker"
)

// disturbed is what an app asks a broker for, each with an error after which a
// client has to try again.
var disturbed = map[broker.API]*kerr.Error{
	broker.Produce:         kerr.NotLeaderForPartition,
	broker.Fetch:           kerr.NotLeaderForPartition,
	broker.ListOffsets:     kerr.NotLeaderForPartition,
	broker.Metadata:        kerr.LeaderNotAvailable,
	broker.OffsetCommit:    kerr.CoordinatorLoadInProgress,
	broker.OffsetFetch:     kerr.CoordinatorLoadInProgress,
	broker.FindCoordinator: kerr.CoordinatorNotAvailable,
	broker.JoinGroup:       kerr.CoordinatorLoadInProgress,
	broker.SyncGroup:       kerr.NotCoordinator,
	broker.Heartbeat:       kerr.RebalanceInProgress,
	broker.InitProducerID:  kerr.CoordinatorLoadInProgress,
}

// TestFaults has an app meet each fault in each kind of request that it makes,
// when it starts, while it works and while it is rebalanced. Nothing may be
// missing at the end.
func TestFaults(t *testing.T) {
	if !virtual {
		t.Skip("takes minutes without virtual time: run with -tags synctests")
	}
	for name, fault := range map[string]broker.Fault{
		"delay":      {Delay: 7 * time.Second},
		"refuse":     {Effect: broker.Refuse},
		"disconnect": {Effect: broker.Disconnect},
		"loseAnswer": {Effect: broker.LoseAnswer},
		"silence":    {Effect: broker.Silence},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := newFolders(t)
			bubble(t, func(t *testing.T) { survive(t, fault, dirs) })
		})
	}
}

func survive(t *testing.T, fault broker.Fault, dirs *folders) {
	var f broker.Faults
	w := &world{t: t, partitions: 2, topo: shop(usualGrace), log: testLog(), faults: &f}
	w.up()
	w.populate()
	defer w.end()
	traffic := newTraffic(5, time.Now())
	often := worker.Config{CommitInterval: time.Second, CacheBytes: 1 << 20, StartTimeout: time.Hour}

	met := map[broker.API]int{}
	disturb := func(skip int, f *broker.Faults) (lift func()) {
		var all []*broker.Injection
		var of []broker.API
		for api, code := range disturbed {
			bad := fault
			bad.APIs, bad.Skip, bad.Times, bad.Code = []broker.API{api}, skip, 2, code.Code
			// What writes the input and looks at the output is not the app.
			bad.Match = func(r broker.Request) bool { return r.ClientID != "kgo" }
			all, of = append(all, f.Inject(bad)), append(of, api)
		}
		return func() {
			for i, injected := range all {
				met[of[i]] += injected.Count()
				injected.Lift()
			}
		}
	}

	lift := disturb(0, &f)
	a := w.run("a", dirs.fresh(), often)
	w.write(traffic.master(5))
	w.write(traffic.sales(60))
	pause(10 * time.Minute)
	lift()
	lift = disturb(1, &f)
	b := w.run("b", dirs.fresh(), often)
	w.write(traffic.sales(60))
	pause(10 * time.Minute)
	a.leave()
	w.write(traffic.sales(60))
	pause(10 * time.Minute)
	lift()
	w.settle()
	b.leave()
	if d := traffic.want().lacks(w.outcome()); d != "" {
		t.Errorf("something is missing (faults met: %s):\n%s", fmt.Sprint(met), d)
	}
	for api := range disturbed {
		if met[api] == 0 {
			t.Errorf("no %s has met the fault", api)
		}
	}
}
