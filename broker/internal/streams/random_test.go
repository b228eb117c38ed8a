package streams

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// TestRandom lets clients come, go and lose answers, while the broker restarts, its
// disk fills up and topics grow. No task is ever active twice, or twice in a
// process, and when all comes to rest, every task has its place.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		w.Create("t", 3)
		var clients []*client
		for i := range 4 {
			clients = append(clients, w.client(fmt.Sprint("m", i), fmt.Sprint("p", i/2+i%2)))
		}
		one := func(t *rapid.T) *client { return rapid.SampledFrom(clients).Draw(t, "who") }
		beat := func(t *rapid.T) { one(t).beat() }
		t.Repeat(map[string]func(*rapid.T){
			"beat":      beat,
			"beat more": beat,
			"lost answer": func(t *rapid.T) {
				c := one(t)
				c.send(c.request())
				c.forget() // it joins again
			},
			"leave":        func(t *rapid.T) { one(t).leave() },
			"back in time": func(t *rapid.T) { c := one(t); c.epoch = max(0, c.epoch-1); c.has = keepIf(c.has, c.epoch > 0) },
			"die": func(t *rapid.T) {
				one(t).forget()
				w.Pass(46 * time.Second)
				for _, c := range clients {
					c.beat() // all that live were silent too, and learn of it
				}
			},
			"pass":     func(t *rapid.T) { w.Pass(time.Duration(rapid.IntRange(1, 4).Draw(t, "seconds")) * time.Second) },
			"restart":  func(*rapid.T) { w.Restart() },
			"disk":     func(*rapid.T) { w.Full = !w.Full },
			"create":   func(*rapid.T) { w.createMissing() },
			"standbys": func(t *rapid.T) { w.Settings.StreamsStandbys = rapid.IntRange(0, 2).Draw(t, "standbys") },
			"":         func(t *rapid.T) { w.check(t, clients) },
		})
		w.Full = false
		w.settle(clients...)
		w.check(t, clients)
		if w.G.State() != "Stable" {
			t.Fatalf("state %s: %s", w.G.State(), w.G.snapshot())
		}
		active := 0
		for _, c := range clients {
			if !c.has.Equal(w.G.Target[c.id]) {
				t.Fatalf("%s has %v, and should have %v", c.id, c.has, w.G.Target[c.id])
			}
			active += c.has.Active.Count()
		}
		if active != 6 {
			t.Fatalf("%d tasks are active, not 6", active)
		}
	})
}

func keepIf(r assignor.Roles, ok bool) assignor.Roles {
	if ok {
		return r
	}
	return noTasks()
}

// check holds at any time.
func (w *world) check(t *rapid.T, clients []*client) {
	active, here := map[task]string{}, map[string]string{}
	for _, c := range clients {
		if w.G.Member[c.id] == nil {
			continue // silent for so long that it knows
		}
		for i, tasks := range roles(&c.has) {
			for name, ps := range *tasks {
				for _, p := range ps {
					k, at := task{name, p}, fmt.Sprint(c.process, name, p)
					if i == 0 && active[k] != "" || here[at] != "" {
						t.Fatalf("%s has task %v, which is active at %q and in this process at %q", c.id, k, active[k], here[at])
					}
					here[at] = c.id
					if i == 0 {
						active[k] = c.id
					}
				}
			}
		}
	}
	again := *w
	again.Restart()
	if got, want := again.G.snapshot(), w.G.snapshot(); got != want {
		t.Fatalf("a restart would make of\n%s\nthis:\n%s", want, got)
	}
}

func FuzzApply(f *testing.F) {
	w := newWorld()
	w.Create("t", 3)
	w.Settings.StreamsStandbys = 1
	a, b := w.client("a", "p"), w.client("b", "q")
	a.endpoint = "host"
	w.settle(a, b)
	for _, r := range append(w.Log, w.G.Tombstones()...) {
		f.Add(r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		k, err := group.ParseKey(key)
		if kind, ok := k.Type.Kind(); err != nil || !ok || kind != group.Streams {
			return
		}
		w := newWorld()
		w.Create("t", 3)
		c := w.client("a", "p")
		c.endpoint = "host"
		c.beat()
		if w.G.Apply(group.Record{Key: key, Value: value}) != nil {
			return
		}
		w.G.Resume(w.Around())
		c.beat() // must not panic
		w.createMissing()
		c.beat()
		w.Pass(time.Hour)
	})
}
