package group

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"
)

// TestRandom checks what always holds, whatever members do and when.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStory(Config{InitialRebalanceDelay: time.Duration(rapid.IntRange(0, 3).Draw(t, "delay")) * time.Second})
		names := []string{"a", "b", "c", "d"}
		ids := map[string]string{}
		lastGeneration := int32(0)
		t.Repeat(map[string]func(*rapid.T){
			"join": func(t *rapid.T) {
				n := rapid.SampledFrom(names).Draw(t, "who")
				s.join(n, ids[n], func(r *kmsg.JoinGroupRequest) {
					if n == "c" || n == "d" {
						r.InstanceID = kmsg.StringPtr("i-" + n)
					}
					r.RebalanceTimeoutMillis = int32(rapid.IntRange(0, 60).Draw(t, "rebalance timeout")) * 1000
					r.Protocols[0].Metadata = []byte{byte(rapid.IntRange(0, 1).Draw(t, "metadata"))}
				})
			},
			"return without id": func(t *rapid.T) { // a static member that restarts
				s.join("c", "", func(r *kmsg.JoinGroupRequest) { r.InstanceID = kmsg.StringPtr("i-c") })
			},
			"sync": func(t *rapid.T) {
				n := rapid.SampledFrom(names).Draw(t, "who")
				var as []string
				for id := range s.g.members {
					as = append(as, id+"="+id)
				}
				s.sync(n, ids[n], as...)
			},
			"beat":  func(t *rapid.T) { s.beat(ids[rapid.SampledFrom(names).Draw(t, "who")]) },
			"leave": func(t *rapid.T) { s.leave(ids[rapid.SampledFrom(names).Draw(t, "who")]) },
			"pass":  func(t *rapid.T) { s.pass(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second) },
			"": func(t *rapid.T) {
				for _, n := range names {
					if r := s.joined(n); r != nil && r.MemberID != "" {
						ids[n] = r.MemberID
						if r.ErrorCode == kerr.UnknownMemberID.Code || r.ErrorCode == kerr.FencedInstanceID.Code {
							ids[n] = ""
						}
					}
				}
				invariants(t, s.g)
				if s.g.generation < lastGeneration {
					t.Fatalf("generation went from %d to %d", lastGeneration, s.g.generation)
				}
				lastGeneration = s.g.generation
			},
		})
		// Everyone falls silent: the group must come to rest, and nobody waits.
		s.pass(24 * time.Hour)
		if s.g.State() != Empty || len(s.asked) != 0 || !s.g.NextDeadline().IsZero() {
			t.Fatalf("after a day: %s, %d calls wait, next deadline %v", s.g.State(), len(s.asked), s.g.NextDeadline())
		}
		if g := restored(t, s); g.State() != Empty {
			t.Fatalf("restored: %s", g.State())
		}
	})
}

// invariants checks that the parts of a group agree.
func invariants(t *rapid.T, g *Group) {
	if len(g.order) != len(g.members) {
		t.Fatalf("order %v, members %d", g.order, len(g.members))
	}
	for _, id := range g.order {
		m := g.members[id]
		switch {
		case m == nil || m.id != id:
			t.Fatalf("order has %s, which is no member", id)
		case m.joinCall != 0 && g.state != PreparingRebalance:
			t.Fatalf("%s waits to join in state %s", id, g.state)
		case m.syncCall != 0 && g.state != CompletingRebalance:
			t.Fatalf("%s waits for its assignment in state %s", id, g.state)
		}
		if _, ok := g.pending[id]; ok {
			t.Fatalf("%s is a member and pending", id)
		}
	}
	if len(g.members) > 0 && !slices.Contains(g.order, g.leader) {
		t.Fatalf("leader %q is no member of %v", g.leader, g.order)
	}
	if g.state == Empty && len(g.members) > 0 || (g.state == Stable || g.state == CompletingRebalance) && len(g.members) == 0 {
		t.Fatalf("%s with %d members", g.state, len(g.members))
	}
}

func FuzzRestore(f *testing.F) {
	s := newStory(Config{})
	a := s.enter("a")
	s.sync("a", a, a+"=A")
	records, _ := s.g.CommitRecords([]Commit{{Partition{"t", 0}, Offset{Offset: 1}}})
	for _, r := range append(s.records, records...) {
		f.Add(r.Key, r.Value)
	}
	f.Add([]byte{0, 9}, []byte{})
	f.Fuzz(func(t *testing.T, key, value []byte) {
		r := Record{key, value}
		if _, _, ok, err := GroupOf(r); ok && err == nil {
			_ = New("g", s.cfg, s.now).Restore(s.now, r, Place{Producer: NoTxn}) // must not panic
		}
	})
}
