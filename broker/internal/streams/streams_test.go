package streams

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
)

func statusOf(t *testing.T, resp *kmsg.StreamsGroupHeartbeatResponse, want int8, detail string) {
	t.Helper()
	for _, s := range resp.Status {
		if s.StatusCode == want && strings.Contains(s.StatusDetail, detail) {
			return
		}
	}
	t.Errorf("no status %d with %q: %+v", want, detail, resp)
}

// The way of a group from its first member to work.
func TestHeartbeat_Topics(t *testing.T) {
	w := newWorld()
	c := w.client("a", "p")
	statusOf(t, c.beat(), missingSourceTopics, "Source topics t are missing.")
	if w.G.State() != "NotReady" {
		t.Errorf("state %s", w.G.State())
	}
	w.Create("t", 5)
	statusOf(t, c.beat(), missingInternalTopics, "g-c, g-r")
	missing := w.G.Missing(w.Topics)
	if len(missing) != 2 || missing[0].Name != "g-c" || missing[0].Partitions != 5 || missing[0].Configs["cleanup.policy"] != "compact" || missing[1].Partitions != 5 {
		t.Fatalf("missing: %+v", missing)
	}
	w.createMissing()
	resp := c.beat()
	if len(resp.Status) != 0 || c.has.Active.Count() != 10 || w.G.State() != "Stable" || resp.MemberEpoch != w.G.Epoch {
		t.Fatalf("state %s, %+v", w.G.State(), resp)
	}
	w.Create("g-r", 4)
	statusOf(t, c.beat(), incorrectlyPartitioned, "expected 5, found 4")
	if c.beat(); c.has.Active.Count() != 0 || w.G.State() != "NotReady" {
		t.Errorf("tasks without the right topics: %v, %s", c.has, w.G.State())
	}
}

func TestHeartbeat_Refused(t *testing.T) {
	w := newWorld()
	w.Create("t", 1)
	c := w.client("a", "p")
	for what, tc := range map[string]struct {
		change func(*kmsg.StreamsGroupHeartbeatRequest)
		want   *kerr.Error
	}{
		"no member id":     {func(r *kmsg.StreamsGroupHeartbeatRequest) { r.MemberID = "" }, kerr.InvalidRequest},
		"no topology":      {func(r *kmsg.StreamsGroupHeartbeatRequest) { r.Topology = nil }, kerr.InvalidRequest},
		"no time-out":      {func(r *kmsg.StreamsGroupHeartbeatRequest) { r.RebalanceTimeoutMillis = -1 }, kerr.InvalidRequest},
		"static":           {func(r *kmsg.StreamsGroupHeartbeatRequest) { r.InstanceID = kmsg.StringPtr("i") }, kerr.InvalidRequest},
		"unknown":          {func(r *kmsg.StreamsGroupHeartbeatRequest) { r.MemberEpoch, r.Topology = 3, nil }, kerr.UnknownMemberID},
		"unknown, leaving": {func(r *kmsg.StreamsGroupHeartbeatRequest) { r.MemberEpoch, r.Topology = -1, nil }, kerr.UnknownMemberID},
		"sized changelog": {func(r *kmsg.StreamsGroupHeartbeatRequest) {
			r.Topology.Subtopologies[1].StateChangelogTopics[0].NumPartitions = 2
		}, kerr.StreamsInvalidTopology},
		"bad co-partitioning": {func(r *kmsg.StreamsGroupHeartbeatRequest) {
			r.Topology.Subtopologies[0].CopartitionGroups = []kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{{SourceTopics: []int16{7}}}
		}, kerr.StreamsInvalidTopology},
		"tasks when joining": {func(r *kmsg.StreamsGroupHeartbeatRequest) {
			r.ActiveTasks = []kmsg.TaskIDs{{SubtopologyID: "0", Partitions: []int32{0}}}
		}, kerr.InvalidRequest},
	} {
		r := c.request()
		r.Topology = wordcount()
		tc.change(r)
		if resp := c.send(r); resp.ErrorCode != tc.want.Code {
			t.Errorf("%s: %v %v, want %v", what, kerr.ErrorForCode(resp.ErrorCode), resp.ErrorMessage, tc.want)
		}
	}
	w.settle(c)
	other := w.client("b", "q")
	other.topology.Subtopologies = other.topology.Subtopologies[:1]
	if resp := other.beat(); resp.ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("another topology: %+v", resp)
	}
	r := c.request()
	r.MemberEpoch = 99
	if resp := c.send(r); resp.ErrorCode != kerr.FencedMemberEpoch.Code {
		t.Errorf("from the future: %+v", resp)
	}
}

func TestCopartition(t *testing.T) {
	join := func(info ...kmsg.TopicInfo) *kmsg.StreamsGroupHeartbeatRequestTopology {
		s := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
		s.SubtopologyID, s.SourceTopics, s.RepartitionSourceTopics = "0", []string{"t", "u"}, info
		g := kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{SourceTopics: []int16{0, 1}}
		for i := range info {
			g.RepartitionSourceTopics = append(g.RepartitionSourceTopics, int16(i))
		}
		s.CopartitionGroups = []kmsg.StreamsGroupHeartbeatRequestTopologySubtopologyCopartitionGroup{g}
		w := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
		w.SubtopologyID, w.SourceTopics, w.RepartitionSinkTopics = "1", []string{"big"}, []string{"r"}
		return &kmsg.StreamsGroupHeartbeatRequestTopology{Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{s, w}}
	}
	w := newWorld()
	w.Create("t", 2)
	w.Create("u", 2)
	w.Create("big", 8)
	parse := func(r *kmsg.StreamsGroupHeartbeatRequestTopology) *topology {
		top, err := topologyOf(r)
		if err != nil {
			t.Fatal(err)
		}
		return top
	}
	// What follows a topic of the user's has its number of partitions.
	if c := configure(parse(join(kmsg.TopicInfo{Topic: "r"})), w.Topics); len(c.missing) != 1 || c.missing[0].Partitions != 2 || c.subs[0].Tasks != 2 || c.subs[1].Tasks != 8 {
		t.Errorf("repartitioned: %+v, %v", c, c.trouble)
	}
	if c := configure(parse(join(kmsg.TopicInfo{Topic: "r", NumPartitions: 3})), w.Topics); c.trouble == nil || c.trouble.code != incorrectlyPartitioned {
		t.Errorf("fixed to another number: %+v", c)
	}
	w.Create("u", 3)
	if c := configure(parse(join()), w.Topics); c.trouble == nil || c.trouble.code != incorrectlyPartitioned || !strings.Contains(c.trouble.detail, "t=2, u=3") {
		t.Errorf("not co-partitioned: %+v", c)
	}
}

func TestHeartbeat_InitialDelay(t *testing.T) {
	w := newWorld()
	w.Create("t", 2)
	w.Create("g-r", 2)
	w.Create("g-c", 2)
	w.Settings.StreamsInitialDelay = 3 * time.Second
	a, b := w.client("a", "p"), w.client("b", "q")
	statusOf(t, a.beat(), assignmentDelayed, "initial rebalance delay")
	statusOf(t, b.beat(), assignmentDelayed, "initial rebalance delay")
	w.Pass(3 * time.Second)
	a.beat()
	b.beat()
	if a.has.Active.Count() != 2 || b.has.Active.Count() != 2 || w.G.State() != "Stable" {
		t.Errorf("after the delay: %v, %v, %s", a.has, b.has, w.G.State())
	}
}

func TestHeartbeat_Endpoints(t *testing.T) {
	w := newWorld()
	w.Create("t", 2)
	a, b := w.client("a", "p"), w.client("b", "q")
	a.endpoint = "host-a"
	w.settle(a, b)
	b.endpoints = -1
	resp := b.beat()
	if len(resp.PartitionsByUserEndpoint) != 1 || resp.PartitionsByUserEndpoint[0].UserEndpoint.Host != "host-a" || len(resp.PartitionsByUserEndpoint[0].ActivePartitions) == 0 {
		t.Errorf("endpoints: %+v", resp)
	}
	if resp = b.beat(); resp.PartitionsByUserEndpoint != nil {
		t.Errorf("endpoints again: %+v", resp)
	}
	r := b.request()
	r.ShutdownApplication = true
	b.send(r)
	statusOf(t, a.beat(), shutdownApplication, "Streams group member b")
}

func TestCheckCommit(t *testing.T) {
	w := newWorld()
	w.Create("t", 2)
	a := w.client("a", "p")
	w.settle(a)
	at := func(topic string, p int32) []group.Commit {
		return []group.Commit{{Partition: group.Partition{Topic: topic, Partition: p}}}
	}
	by := group.Committer{MemberID: "a", Generation: a.epoch, KnowsEpochs: true}
	got := func() int16 { return w.G.CheckCommit(w.Around(), by, at("t", 0)) }
	if c := got(); c != 0 {
		t.Errorf("its epoch: %d", c)
	}
	b := w.client("b", "q")
	w.settle(b, a) // a's epoch goes on, but some of its tasks stay
	for p := range int32(2) {
		want := kerr.StaleMemberEpoch.Code
		if a.has.Active.Has("0", p) {
			want = 0
		}
		if c := w.G.CheckCommit(w.Around(), by, at("t", p)); c != want {
			t.Errorf("an earlier epoch for partition %d: %d, want %d; it has %v", p, c, want, a.has)
		}
	}
	by.Generation = a.epoch + 1
	if c := got(); c != kerr.StaleMemberEpoch.Code {
		t.Errorf("a later epoch: %d", c)
	}
	by.KnowsEpochs = false
	if c := got(); c != kerr.UnsupportedVersion.Code {
		t.Errorf("an old client: %d", c)
	}
	by.MemberID = "x"
	if c := got(); c != kerr.UnknownMemberID.Code {
		t.Errorf("a stranger: %d", c)
	}
	if c := w.G.CheckFetch("a", a.epoch); c != 0 {
		t.Errorf("fetch: %d", c)
	}
	if c := w.G.CheckFetch("a", a.epoch-1); c != kerr.StaleMemberEpoch.Code {
		t.Errorf("fetch with an earlier epoch: %d", c)
	}
}
