package sharegroup

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/group/grouptest"
)

// Everybody has something to do, every partition somebody, and all about as much.
func TestSimple(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions := map[assignor.ID]int32{}
		for i := range rapid.IntRange(1, 4).Draw(t, "topics") {
			partitions[assignor.ID{byte(i)}] = int32(rapid.IntRange(1, 5).Draw(t, "partitions"))
		}
		same := rapid.Bool().Draw(t, "same")
		var members []assignor.Member
		for i := range rapid.IntRange(1, 12).Draw(t, "members") {
			m := assignor.Member{ID: fmt.Sprint("m", i), Topics: map[assignor.ID]bool{}}
			for id := range partitions {
				if same || rapid.Bool().Draw(t, "wants") {
					m.Topics[id] = true
				}
			}
			members = append(members, m)
		}
		for range 3 {
			got := simple(members, partitions)
			checkSimple(t, members, partitions, got, same)
			for i := range members {
				members[i].Had = got[members[i].ID]
			}
			if again := simple(members, partitions); !reflect.DeepEqual(got, again) {
				t.Fatalf("nothing changed, but %v became %v", got, again)
			}
			if len(members) > 1 {
				members = members[1:]
			}
		}
	})
}

func checkSimple(t *rapid.T, members []assignor.Member, partitions map[assignor.ID]int32, got map[string]assignor.Assignment, same bool) {
	load := map[partition]int{}
	for _, m := range members {
		n := 0
		for id, ps := range got[m.ID] {
			if !m.Topics[id] || !slices.IsSorted(ps) {
				t.Fatalf("%s has %v of a topic (wanted: %t)", m.ID, ps, m.Topics[id])
			}
			for _, p := range ps {
				if p < 0 || p >= partitions[id] {
					t.Fatalf("there is no partition %d", p)
				}
				load[partition{id, p}]++
				n++
			}
		}
		if n == 0 && len(m.Topics) > 0 {
			t.Fatalf("%s has nothing: %v", m.ID, got)
		}
	}
	least, most := 1000, 0
	for id, count := range partitions {
		wanted := slices.ContainsFunc(members, func(m assignor.Member) bool { return m.Topics[id] })
		for p := range count {
			n := load[partition{id, p}]
			if wanted && n == 0 {
				t.Fatalf("nobody has partition %d: %v", p, got)
			}
			least, most = min(least, n), max(most, n)
		}
	}
	if same && most > least+1 {
		t.Fatalf("one partition has %d members, another %d", most, least)
	}
}

// world is a group with what is around it.
type world struct{ grouptest.World[*Group] }

func newWorld(partitions ...int32) *world {
	w := &world{grouptest.New(New)}
	w.setTopics(partitions...)
	return w
}

func (w *world) setTopics(partitions ...int32) {
	var list []group.Topic
	for i, n := range partitions {
		list = append(list, group.Topic{Name: fmt.Sprint("t", i), ID: [16]byte{byte(i + 1)}, Partitions: n})
	}
	w.Change(func([]group.Topic) []group.Topic { return list })
}

// do carries a step out.
func (w *world) do(e group.Effects) kmsg.Response {
	w.Take(e)
	return e.Replies[0].Body
}

func (w *world) beat(member string, epoch int32, names ...string) *kmsg.ShareGroupHeartbeatResponse {
	r := kmsg.NewPtrShareGroupHeartbeatRequest()
	r.Version, r.GroupID, r.MemberID, r.MemberEpoch, r.SubscribedTopicNames = 1, "g", member, epoch, names
	return w.do(w.G.Heartbeat(w.Around(), 1, &Heartbeat{r, group.Client{ID: "c", Host: "/h"}})).(*kmsg.ShareGroupHeartbeatResponse)
}

func partitionsOf(resp *kmsg.ShareGroupHeartbeatResponse) string {
	if resp.Assignment == nil {
		return "as before"
	}
	s := ""
	for _, t := range resp.Assignment.TopicPartitions {
		s += fmt.Sprintf("t%d%v", t.TopicID[0]-1, t.Partitions)
	}
	return s
}

func TestHeartbeats(t *testing.T) {
	w := newWorld(2)
	expect := func(what string, resp *kmsg.ShareGroupHeartbeatResponse, epoch int32, partitions string) {
		t.Helper()
		if resp.ErrorCode != 0 || resp.MemberEpoch != epoch || partitionsOf(resp) != partitions {
			t.Errorf("%s: code %d, epoch %d, %s; want epoch %d, %s", what, resp.ErrorCode, resp.MemberEpoch, partitionsOf(resp), epoch, partitions)
		}
	}
	expect("a joins", w.beat("a", 0, "t0"), 1, "t0[0 1]")
	expect("a goes on", w.beat("a", 1), 1, "as before")
	expect("b joins", w.beat("b", 0, "t0"), 2, "t0[1]")
	expect("a hears of it", w.beat("a", 1), 2, "t0[0]")
	expect("a's answer was lost", w.beat("a", 1), 2, "as before")
	expect("c joins", w.beat("c", 0, "t0"), 3, "t0[0]")
	expect("c tells all", w.beat("c", 3, "t0"), 3, "t0[0]")
	w.setTopics(2, 1)
	expect("b wants more", w.beat("b", 2, "t0", "t1"), 4, "t1[0]")
	expect("b leaves", w.beat("b", -1), -1, "as before")
	expect("a hears of it", w.beat("a", 2), 5, "as before")
	for _, x := range []struct {
		resp *kmsg.ShareGroupHeartbeatResponse
		want *kerr.Error
	}{
		{w.beat("a", 9), kerr.FencedMemberEpoch},
		{w.beat("a", 1), kerr.FencedMemberEpoch},
		{w.beat("b", 2), kerr.UnknownMemberID},
		{w.beat("b", -1), kerr.UnknownMemberID},
		{w.beat("b", -2), kerr.InvalidRequest},
		{w.beat("d", 0), kerr.InvalidRequest},
		{w.beat("", 0, "t0"), kerr.InvalidRequest},
	} {
		if x.resp.ErrorCode != x.want.Code || x.resp.ErrorMessage == nil {
			t.Errorf("%+v, want %v", x.resp, x.want)
		}
	}
	w.MaxMembers = 2
	if resp := w.beat("d", 0, "t0"); resp.ErrorCode != kerr.GroupMaxSizeReached.Code {
		t.Errorf("%+v", resp)
	}
	if got := w.G.Shared().Count(); got != 3 {
		t.Errorf("the group has a state of %d partitions", got)
	}
}

// Assignments are not made again and again, but nobody waits for the first one.
func TestAssignmentInterval(t *testing.T) {
	w := newWorld(1)
	w.Settings.Share.AssignmentInterval = time.Second
	w.beat("a", 0, "t0")
	if got := partitionsOf(w.beat("b", 0, "t0")); got != "t0[0]" {
		t.Errorf("b joins: %s", got)
	}
	w.setTopics(2)
	if resp := w.beat("a", 1); resp.MemberEpoch != 2 {
		t.Errorf("at once: %+v", resp)
	}
	w.Now = w.Now.Add(w.Settings.Share.AssignmentInterval)
	if resp := w.beat("a", 2); resp.MemberEpoch != 3 || w.G.Target["a"].Count()+w.G.Target["b"].Count() != 2 {
		t.Errorf("later: %+v", resp)
	}
}

// Whatever happens, the records replay to the group as it is, epochs don't go
// back, and in the end every partition that is wanted has a member.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(3, 1)
		epochs := map[string]int32{}
		beat := func(t *rapid.T, m string) {
			var names []string
			epoch, joined := epochs[m]
			if !joined || rapid.IntRange(0, 4).Draw(t, "full") == 0 {
				names = rapid.SampledFrom([][]string{{"t0"}, {"t1"}, {"t0", "t1"}, {"t2"}}).Draw(t, "topics")
			}
			resp := w.beat(m, epoch, names...)
			switch resp.ErrorCode {
			case 0:
				if resp.MemberEpoch < epoch || resp.MemberEpoch < 1 {
					t.Fatalf("the epoch of %s went from %d to %d", m, epoch, resp.MemberEpoch)
				}
				epochs[m] = resp.MemberEpoch
			case kerr.UnknownMemberID.Code:
				delete(epochs, m)
			default:
				t.Fatalf("%s: %+v", m, resp)
			}
		}
		names := []string{"a", "b", "c", "d", "e"}
		t.Repeat(map[string]func(*rapid.T){
			"beat": func(t *rapid.T) { beat(t, rapid.SampledFrom(names).Draw(t, "member")) },
			"leave": func(t *rapid.T) {
				m := rapid.SampledFrom(names).Draw(t, "member")
				if _, joined := epochs[m]; joined {
					w.beat(m, -1)
					delete(epochs, m)
				}
			},
			"time": func(t *rapid.T) {
				w.Pass(time.Duration(rapid.IntRange(1, 40).Draw(t, "s")) * time.Second)
			},
			"topics": func(t *rapid.T) {
				w.setTopics(int32(rapid.IntRange(1, 4).Draw(t, "t0")), int32(rapid.IntRange(1, 4).Draw(t, "t1")), 2)
			},
			"": func(t *rapid.T) { w.check(t) },
		})
		for range 3 { // all hear of everything
			for m := range maps.Clone(epochs) {
				if resp := w.beat(m, epochs[m]); resp.ErrorCode == 0 {
					epochs[m] = resp.MemberEpoch
				} else {
					delete(epochs, m)
				}
			}
		}
		w.checkSettled(t, epochs)
	})
}

func (w *world) check(t *rapid.T) {
	replayed := *w
	replayed.Restart()
	again := replayed.G
	again.Seen, again.Sessions = w.G.Seen, w.G.Sessions
	if !reflect.DeepEqual(again, w.G) {
		t.Fatalf("replayed: %+v, want %+v", again, w.G)
	}
	for id := range w.G.Sessions {
		if w.G.Member[id] == nil {
			t.Fatalf("%s has a session and is no member", id)
		}
	}
}

func (w *world) checkSettled(t *rapid.T, epochs map[string]int32) {
	had := map[partition]bool{}
	for m := range epochs {
		for id, ps := range w.G.Member[m].assigned {
			for _, p := range ps {
				had[partition{id, p}] = true
				if !w.G.Shared().Has(id, p) {
					t.Fatalf("%s has a partition that the group has no state of", m)
				}
			}
		}
	}
	for _, name := range w.Topics.Names() {
		topic, _ := w.Topics.Topic(name)
		for p := range topic.Partitions {
			if w.G.Subscribed(topic.Name) && !had[partition{topic.ID, p}] {
				t.Fatalf("nobody has %s-%d: %+v", topic.Name, p, w.G.Target)
			}
		}
	}
}

func TestTombstonesRemoveAll(t *testing.T) {
	w := newWorld(3)
	w.beat("a", 0, "t0")
	w.beat("b", 0, "t0")
	for _, r := range w.G.Tombstones() {
		if err := w.G.Apply(r); err != nil || r.Value != nil {
			t.Fatal(r, err)
		}
	}
	if n := len(w.G.Member) + len(w.G.Target) + len(w.G.shared); n != 0 {
		t.Errorf("left: %+v", w.G)
	}
	k, err := group.ParseKey(slices.Collect(slices.Values(w.G.Tombstones()))[len(w.G.Tombstones())-1].Key)
	if err != nil || !k.Type.Ends() {
		t.Errorf("the last is %+v, %v", k, err)
	}
}

func FuzzApply(f *testing.F) {
	w := newWorld(3)
	w.beat("a", 0, "t0")
	for _, r := range w.Log {
		f.Add(r.Key, r.Value)
		f.Add(r.Key, []byte(nil))
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		g := New("g")
		if err := g.Apply(group.Record{Key: key, Value: value}); err != nil && !errors.Is(err, group.ErrRecord) {
			t.Fatal(err)
		}
		w := newWorld(3)
		w.G = g
		if resp := w.beat("z", 0, "t0"); resp.ErrorCode != 0 && resp.ErrorCode != kerr.FencedMemberEpoch.Code {
			t.Fatalf("%+v", resp)
		}
	})
}
