package consumer

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// TestRandom lets clients come, go, change their minds and lose answers, while the
// broker restarts, its disk fills up and topics change. Nobody ever has what
// somebody else has, and when all comes to rest, everybody has their share.
func TestRandom(t *testing.T) {
	outer := t
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(3, 4)
		w.Settings.Consumer.AssignmentInterval = time.Duration(rapid.IntRange(0, 2).Draw(t, "interval")) * time.Second
		var clients []*client
		for i := range 4 {
			c := w.client(fmt.Sprint("m", i), "t0", "t1")
			if i == 3 {
				c.instance = kmsg.StringPtr("i")
			}
			clients = append(clients, c)
		}
		// Two speak the classic protocol, if they come.
		speakers := []*speaker{{w: w}, {w: w}}
		one := func(t *rapid.T) *client { return rapid.SampledFrom(clients).Draw(t, "who") }
		joined := func(t *rapid.T) *client {
			c := one(t)
			if c.epoch <= 0 {
				t.Skip("not a member")
			}
			return c
		}
		beat := func(t *rapid.T) { one(t).beat() }
		t.Repeat(map[string]func(*rapid.T){
			"beat":      beat,
			"beat more": beat,
			"lost answer": func(t *rapid.T) {
				c := one(t)
				c.send(c.request())
				c.tells = true
			},
			"act":          func(t *rapid.T) { rapid.SampledFrom(speakers).Draw(t, "speaker").act(outer) },
			"quit":         func(t *rapid.T) { rapid.SampledFrom(speakers).Draw(t, "speaker").forget() },
			"leave":        func(t *rapid.T) { joined(t).leave(membership.Leaving) },
			"back in time": func(t *rapid.T) { c := joined(t); c.epoch = max(1, c.epoch-1) },
			"static leaves for now": func(t *rapid.T) {
				if c := clients[3]; c.epoch > 0 && c.leave(membership.LeftForNow) == 0 {
					c.id = fmt.Sprint("m3-", w.NextID())
				}
			},
			"subscribe": func(t *rapid.T) {
				c := one(t)
				c.topics, c.regex, c.tells = rapid.SampledFrom([][]string{{"t0"}, {"t1"}, {"t0", "t1"}, {"t0", "t2"}}).Draw(t, "topics"), "", true
			},
			"subscribe to pattern": func(t *rapid.T) {
				c := one(t)
				c.topics, c.regex, c.tells = nil, rapid.SampledFrom([]string{"t.", "t[12]", "x"}).Draw(t, "pattern"), true
			},
			"die": func(t *rapid.T) {
				one(t).forget()
				w.Pass(46 * time.Second)
				for _, c := range clients {
					c.last = 0
					c.beat() // all that live were silent too, and learn of it
				}
			},
			"pass":    func(t *rapid.T) { w.Pass(time.Duration(rapid.IntRange(1, 4).Draw(t, "seconds")) * time.Second) },
			"restart": func(*rapid.T) { w.Restart() },
			"disk":    func(*rapid.T) { w.Full = !w.Full },
			"create":  func(t *rapid.T) { w.Create("t2", int32(rapid.IntRange(1, 3).Draw(t, "partitions"))) },
			"delete": func(*rapid.T) {
				w.Change(func(l []group.Topic) []group.Topic {
					return slices.DeleteFunc(l, func(t group.Topic) bool { return t.Name == "t2" })
				})
			},
			"grow": func(*rapid.T) {
				w.Change(func(l []group.Topic) []group.Topic { l[0].Partitions++; return l })
			},
			"": func(t *rapid.T) { w.check(t, clients, speakers) },
		})
		w.Full = false
		for range 30 {
			for _, s := range speakers {
				if s.generation > 0 {
					s.act(outer)
				}
			}
			for _, c := range clients {
				c.beat()
			}
			w.Pass(time.Second)
		}
		w.check(t, clients, speakers)
		w.checkRest(t, clients, speakers)
	})
}

// check holds at any time.
func (w *world) check(t *rapid.T, clients []*client, speakers []*speaker) {
	owners := map[partition]string{}
	for _, s := range speakers {
		for _, p := range s.owned {
			topic, _ := w.Topics.Topic("t0")
			if at := (partition{topic.ID, p}); w.G.Member[s.id] != nil {
				if owners[at] != "" {
					t.Fatalf("two who speak the classic protocol have %v", at)
				}
				owners[at] = s.id
			}
		}
	}
	for _, c := range clients {
		if w.G.Member[c.id] == nil {
			continue // silent for so long that it knows
		}
		for p := range c.has {
			if owners[p] != "" {
				t.Fatalf("%s and %s both have %v", owners[p], c.id, p)
			}
			owners[p] = c.id
		}
	}
	again := *w
	again.Restart()
	if got, want := again.G.snapshot(), w.G.snapshot(); got != want {
		t.Fatalf("a restart would make of\n%s\nthis:\n%s", want, got)
	}
}

// checkRest holds when all members have been heard of often enough.
func (w *world) checkRest(t *rapid.T, clients []*client, speakers []*speaker) {
	if w.G.State() != "Stable" {
		t.Fatalf("state %s: %s", w.G.State(), w.G.snapshot())
	}
	for _, c := range clients {
		if got, want := c.owned(), w.G.Target[c.id]; !got.Equal(want) {
			t.Fatalf("%s has %v, and should have %v", c.id, got, want)
		}
	}
	wanted := map[string]bool{}
	for _, m := range w.G.Member {
		for _, name := range slices.Concat(m.topics, w.G.regexes[m.regex].topics) {
			wanted[name] = true
		}
	}
	total, want := 0, 0
	for name := range maps.Keys(wanted) {
		topic, _ := w.Topics.Topic(name)
		want += int(topic.Partitions)
	}
	for _, c := range clients {
		total += len(c.has)
	}
	for _, s := range speakers {
		total += len(s.owned)
	}
	if total != want {
		t.Fatalf("%d partitions have owners, not %d", total, want)
	}
}

func FuzzApply(f *testing.F) {
	w := newWorld(3)
	a := w.client("a")
	a.regex = "t.*"
	b := w.client("b", "t0")
	b.instance = kmsg.StringPtr("i")
	w.settle(a, b)
	for _, r := range append(w.Log, w.G.Tombstones()...) {
		f.Add(r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		k, err := group.ParseKey(key)
		if kind, ok := k.Type.Kind(); err != nil || !ok || kind != group.Consumer {
			return
		}
		w := newWorld(3)
		c := w.client("a", "t0")
		c.beat()
		if w.G.Apply(group.Record{Key: key, Value: value}) != nil {
			return
		}
		w.G.Resume(w.Around())
		c.beat() // must not panic
		w.Pass(time.Hour)
	})
}
