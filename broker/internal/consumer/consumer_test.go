package consumer

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

func TestHeartbeat_Refused(t *testing.T) {
	w := newWorld(4)
	w.MaxMembers = 2
	a := w.client("a", "t0")
	w.settle(a)
	for what, tc := range map[string]struct {
		change func(*kmsg.ConsumerGroupHeartbeatRequest)
		want   *kerr.Error
	}{
		"no member id":     {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID = "" }, kerr.InvalidRequest},
		"no time-out":      {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 }, kerr.InvalidRequest},
		"no subscription":  {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicNames = nil }, kerr.InvalidRequest},
		"no partitions":    {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.Topics = nil }, kerr.InvalidRequest},
		"empty instance":   {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.InstanceID = kmsg.StringPtr("") }, kerr.InvalidRequest},
		"epoch -3":         {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -3 }, kerr.InvalidRequest},
		"-2, not static":   {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -2 }, kerr.InvalidRequest},
		"unknown assignor": {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.ServerAssignor = kmsg.StringPtr("x") }, kerr.UnsupportedAssignor},
		"bad pattern":      {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.SubscribedTopicRegex = kmsg.StringPtr("(") }, kerr.InvalidRegularExpression},
		"unknown member":   {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = 7 }, kerr.UnknownMemberID},
		"unknown leaves":   {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberEpoch = -1 }, kerr.UnknownMemberID},
		"from the future":  {func(r *kmsg.ConsumerGroupHeartbeatRequest) { r.MemberID, r.MemberEpoch = "a", 99 }, kerr.FencedMemberEpoch},
	} {
		r := w.client("b", "t0").request()
		tc.change(r)
		is(t, what, w.client("b").send(r).ErrorCode, tc.want)
	}
	w.settle(w.client("b", "t0"))
	is(t, "one too many", w.client("c", "t0").beat().ErrorCode, kerr.GroupMaxSizeReached)
}

func TestHeartbeat_Static(t *testing.T) {
	w := newWorld(4)
	s1 := w.client("s1", "t0")
	s1.instance = kmsg.StringPtr("i")
	w.settle(s1)
	s2 := w.client("s2", "t0")
	s2.instance = s1.instance
	is(t, "while the first is there", s2.beat().ErrorCode, kerr.UnreleasedInstanceID)
	epoch := w.G.Epoch
	is(t, "leave for now", s1.leave(membership.LeftForNow), nil)
	is(t, "take over", s2.beat().ErrorCode, nil)
	if len(s2.has) != 4 || w.G.Epoch != epoch || w.G.Members() != 1 {
		t.Errorf("it has %v in epoch %d; before it was %d", s2.has, w.G.Epoch, epoch)
	}
	s1.epoch = epoch
	is(t, "the first again", s1.send(s1.request()).ErrorCode, kerr.FencedInstanceID)
	is(t, "leave for now", s2.leave(membership.LeftForNow), nil)
	w.Pass(46 * time.Second)
	if w.G.Members() != 0 {
		t.Error("who doesn't come back stays for ever")
	}
}

// A member gives up what it doesn't want any more at once, even when the next
// target has to wait.
func TestHeartbeat_SubscriptionShrinks(t *testing.T) {
	w := newWorld(4, 4)
	a, b := w.client("a", "t0", "t1"), w.client("b", "t0", "t1")
	w.settle(a, b)
	w.Settings.Consumer.AssignmentInterval = time.Hour
	a.topics, a.tells = []string{"t0"}, true
	a.beat()
	for p := range a.has {
		if p.topic != w.id("t0") {
			t.Errorf("a still has %v", p)
		}
	}
	if a.epoch != b.epoch {
		t.Errorf("epochs %d and %d", a.epoch, b.epoch)
	}
	w.Settings.Consumer.AssignmentInterval = 0
	w.settle(a, b)
	if len(a.has)+len(b.has) != 8 {
		t.Errorf("%v and %v", a.has, b.has)
	}
}

func TestHeartbeat_Assignor(t *testing.T) {
	w := newWorld(2, 2)
	a, b := w.client("a", "t0", "t1"), w.client("b", "t0", "t1")
	for _, c := range []*client{a, b} {
		r := c.request()
		r.ServerAssignor = kmsg.StringPtr("range")
		c.obey(c.send(r))
	}
	w.settle(a, b)
	d, mentioned := w.G.Describe(w.Topics)
	if !slices.Contains(mentioned, "t0") {
		t.Errorf("it mentions %v", mentioned)
	}
	if d.AssignorName != "range" || d.State != "Stable" || len(d.Members) != 2 || d.Members[0].MemberType != 1 {
		t.Errorf("group: %+v", d)
	}
	for _, tp := range d.Members[0].Assignment.TopicPartitions {
		if len(tp.Partitions) != 1 || tp.Partitions[0] != 0 {
			t.Errorf("a has %v of %s", tp.Partitions, tp.Topic)
		}
	}
}

func TestCheckCommit(t *testing.T) {
	w := newWorld(4)
	a := w.client("a", "t0")
	w.settle(a)
	first := a.epoch
	b := w.client("b", "t0")
	w.settle(a, b)
	commit := func(by group.Committer, p int32) int16 {
		return w.G.CheckCommit(w.Around(), by, []group.Commit{{Partition: group.Partition{Topic: "t0", Partition: p}}})
	}
	by := group.Committer{MemberID: "a", Generation: a.epoch, KnowsEpochs: true}
	is(t, "its epoch", commit(by, 0), nil)
	by.Generation = first
	for p := range int32(4) {
		want := kerr.StaleMemberEpoch
		if a.has[partition{w.id("t0"), p}] {
			want = nil
		}
		is(t, "an earlier epoch", commit(by, p), want)
	}
	by.Generation = 99
	is(t, "a later epoch", commit(by, 0), kerr.StaleMemberEpoch)
	by.InTxn = true
	is(t, "a later epoch, in a transaction", commit(by, 0), kerr.IllegalGeneration)
	by.InTxn, by.KnowsEpochs = false, false
	is(t, "an old client", commit(by, 0), kerr.UnsupportedVersion)
	is(t, "from outside", commit(group.Committer{Generation: -1, KnowsEpochs: true}, 0), kerr.UnknownMemberID)
	is(t, "a stranger", commit(group.Committer{MemberID: "x", Generation: 1, KnowsEpochs: true}, 0), kerr.UnknownMemberID)
	is(t, "fetch", w.G.CheckFetch("a", a.epoch), nil)
	is(t, "fetch of an earlier epoch", w.G.CheckFetch("a", first), kerr.StaleMemberEpoch)
	is(t, "fetch of a stranger", w.G.CheckFetch("x", 1), kerr.UnknownMemberID)
	is(t, "fetch from outside", w.G.CheckFetch("", -1), nil)
	if !w.G.Subscribed("t0") || w.G.Subscribed("t1") {
		t.Error("it consumes t0 and nothing else")
	}
	a.leave(membership.Leaving)
	b.leave(membership.Leaving)
	is(t, "from outside, when all have gone", commit(group.Committer{Generation: -1, KnowsEpochs: true}, 0), nil)
}

// classicGroup is a stable classic group in which x has two partitions of t0 and y
// the other two.
func classicGroup(t *testing.T, w *world) *group.Group {
	t.Helper()
	var members []group.ClassicMember
	for i, id := range []string{"x", "y"} {
		a := kmsg.NewConsumerMemberAssignment()
		a.Topics = []kmsg.ConsumerMemberAssignmentTopic{{Topic: "t0", Partitions: []int32{int32(2 * i), int32(2*i + 1)}}}
		members = append(members, group.ClassicMember{
			ID: id, Session: 10 * time.Second, Rebalance: 20 * time.Second, Assignment: a.AppendTo(nil),
			Protocols: []kmsg.JoinGroupRequestProtocol{{Name: "cooperative-sticky", Metadata: (&speaker{}).metadata()}},
		})
	}
	g := group.New("g", nil, w.Now)
	if err := g.Restore(w.Now, group.ClassicRecord("g", w.Now, 7, "cooperative-sticky", members), group.Place{}); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestUpgradeAndDowngrade(t *testing.T) {
	w := newWorld(4)
	old := classicGroup(t, w)
	if _, _, err := Upgrade(w.Around(), old); err == nil {
		t.Error("upgraded against the policy")
	}
	w.Migration = group.MigrationOf("bidirectional")
	g, records, err := Upgrade(w.Around(), old)
	if err != nil {
		t.Fatal(err)
	}
	w.G, w.Log = g, records
	a := w.client("a", "t0")
	x := &speaker{w: w, id: "x", generation: 7, owned: []int32{0, 1}}
	y := &speaker{w: w, id: "y", generation: 7, owned: []int32{2, 3}}
	a.beat()
	is(t, "heartbeat of x", x.beat(), kerr.RebalanceInProgress)
	for range 5 {
		x.act(t)
		y.act(t)
		a.beat()
	}
	if len(a.has) != 1 || len(x.owned)+len(y.owned) != 3 || g.State() != "Stable" {
		t.Fatalf("%v, %v and %v, %s", a.has, x.owned, y.owned, g.State())
	}
	before := g.snapshot()
	if w.Restart(); w.G.snapshot() != before {
		t.Errorf("a restart made\n%s of\n%s", w.G.snapshot(), before)
	}

	// The last of the new protocol leaves: what is stored is a classic group.
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch = "g", "a", membership.Leaving
	e := w.G.Heartbeat(w.Around(), 1, &Heartbeat{ConsumerGroupHeartbeatRequest: r})
	if !e.Rejoin {
		t.Fatalf("no downgrade: %+v", e)
	}
	back := group.New("g", &group.Config{}, w.Now)
	back.Become(w.G, w.Now)
	for _, rec := range e.Records {
		if err := back.Restore(w.Now, rec, group.Place{}); err != nil {
			t.Fatal(err)
		}
	}
	if back.Kind() != group.Classic || back.State() != group.Stable || len(back.ClassicMembers()) != 2 || back.Protocol() != "cooperative-sticky" {
		t.Errorf("%s group, %s, %+v", back.Kind(), back.StateName(), back.ClassicMembers())
	}
	if back.Rebalance(w.Now); back.State() != group.PreparingRebalance {
		t.Errorf("state %s", back.State())
	}
}
