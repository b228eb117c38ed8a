package coord

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/consumer"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/sharegroup"
	"github.com/leatstream/leat/broker/internal/streams"
	"github.com/leatstream/leat/broker/internal/vfs"
)

// kindTest is how a test speaks to groups of a kind.
type kindTest struct {
	kind group.Kind
	beat func(g *Groups, id string, epoch int32) (*Answer, error)
	code func(kmsg.Response) int16
	look func(t *testing.T, g *Groups, id string) Seen
}

func kindTests() []kindTest {
	return []kindTest{{
		group.Consumer,
		func(g *Groups, id string, epoch int32) (*Answer, error) {
			r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
			r.Version, r.Group, r.MemberID, r.MemberEpoch = 1, id, "m", epoch
			if epoch == 0 {
				r.RebalanceTimeoutMillis, r.SubscribedTopicNames, r.Topics = 1000, []string{"t"}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
			}
			return g.ConsumerHeartbeat(&consumer.Heartbeat{ConsumerGroupHeartbeatRequest: r, Visible: func(string) bool { return true }})
		},
		func(r kmsg.Response) int16 { return r.(*kmsg.ConsumerGroupHeartbeatResponse).ErrorCode },
		func(t *testing.T, g *Groups, id string) Seen {
			f, err := g.DescribeConsumer(id)
			return await(t, f, err).Seen
		},
	}, {
		group.Streams,
		func(g *Groups, id string, epoch int32) (*Answer, error) {
			r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
			r.Group, r.MemberID, r.MemberEpoch = id, "m", epoch
			if epoch == 0 {
				sub := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
				sub.SubtopologyID, sub.SourceTopics = "0", []string{"t"}
				r.RebalanceTimeoutMillis, r.ProcessID = 1000, kmsg.StringPtr("p")
				r.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{sub}}
			}
			return g.StreamsHeartbeat(&streams.Heartbeat{StreamsGroupHeartbeatRequest: r})
		},
		func(r kmsg.Response) int16 { return r.(*kmsg.StreamsGroupHeartbeatResponse).ErrorCode },
		func(t *testing.T, g *Groups, id string) Seen {
			f, err := g.DescribeStreams(id)
			return await(t, f, err).Seen
		},
	}, {
		group.Share,
		func(g *Groups, id string, epoch int32) (*Answer, error) {
			r := kmsg.NewPtrShareGroupHeartbeatRequest()
			r.Version, r.GroupID, r.MemberID, r.MemberEpoch = 1, id, "m", epoch
			if epoch == 0 {
				r.SubscribedTopicNames = []string{"t"}
			}
			return g.ShareHeartbeat(&sharegroup.Heartbeat{ShareGroupHeartbeatRequest: r})
		},
		func(r kmsg.Response) int16 { return r.(*kmsg.ShareGroupHeartbeatResponse).ErrorCode },
		func(t *testing.T, g *Groups, id string) Seen {
			f, err := g.DescribeShare(id)
			return await(t, f, err).Seen
		},
	}}
}

// TestKinds has members of each kind join groups that aren't there, that are
// theirs, that are of another kind, and that are in use by classic members.
func TestKinds(t *testing.T) {
	w := newWorld(t, vfs.NewMem())
	defer w.close()
	if _, errs := w.cat.Create([]catalog.NewTopic{{Name: "t", Partitions: 1}}); errs[0] != nil {
		t.Fatal(errs[0])
	}
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "classic", "mine", 10_000, 10_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "p"}}
	f, err := w.groups.Join(join, group.Client{})
	if resp := await(t, f, err).(*kmsg.JoinGroupResponse); resp.ErrorCode != 0 {
		t.Fatal(resp)
	}
	kinds := kindTests()
	for _, k := range kinds {
		id := "of " + k.kind.String()
		beat := func(id string, epoch int32) int16 {
			f, err := k.beat(w.groups, id, epoch)
			return k.code(await(t, f, err))
		}
		is := func(what string, got int16, want *kerr.Error) {
			t.Helper()
			if want == nil && got != 0 || want != nil && got != want.Code {
				t.Errorf("%s: %s: code %d, want %v", k.kind, what, got, want)
			}
		}
		seen := func(id string, want Seen) {
			t.Helper()
			if got := k.look(t, w.groups, id); got != want {
				t.Errorf("%s: a look at %s: %v, want %v", k.kind, id, got, want)
			}
		}
		is("no group", beat(id, 1), kerr.GroupIDNotFound)
		seen(id, NoGroup)
		is("join", beat(id, 0), nil)
		seen(id, Found)
		is("join a classic group with members", beat("classic", 0), kerr.GroupIDNotFound)
		seen("classic", OtherKind)
		for _, other := range kinds {
			if other.kind != k.kind {
				f, err := other.beat(w.groups, id, 0)
				is("a member of another kind", other.code(await(t, f, err)), kerr.GroupIDNotFound)
			}
		}
		w.commit("vacant "+id, 0, 1)
		is("join a vacant classic group", beat("vacant "+id, 0), nil)
		seen("vacant "+id, Found)
	}
	// One for each new assignment: of each group, and of the classic one.
	if want := []string{"classic", "consumer", "consumer", "streams", "streams", "share", "share"}; !slices.Equal(w.rebalanced, want) {
		t.Errorf("rebalanced: %v, want %v", w.rebalanced, want)
	}
}
