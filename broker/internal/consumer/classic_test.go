package consumer

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
)

// speaker is a member that speaks the classic protocol.
type speaker struct {
	w          *world
	id         string
	generation int32
	owned      []int32 // of t0
}

func (c *speaker) metadata() []byte {
	md := kmsg.NewConsumerMemberMetadata()
	md.Version, md.Topics = 1, []string{"t0"}
	if c.owned != nil {
		md.OwnedPartitions = []kmsg.ConsumerMemberMetadataOwnedPartition{{Topic: "t0", Partitions: c.owned}}
	}
	return md.AppendTo(nil)
}

func (c *speaker) join() *kmsg.JoinGroupResponse {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.ProtocolType = 9, "g", c.id, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10_000, 20_000
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "cooperative-sticky", Metadata: c.metadata()}}
	e := c.w.G.Join(c.w.Around(), 1, r, group.Client{ID: "c"})
	if !c.w.Take(e) {
		return nil
	}
	resp := e.Replies[0].Body.(*kmsg.JoinGroupResponse)
	c.id = resp.MemberID
	if resp.ErrorCode == 0 {
		c.generation = resp.Generation
	}
	return resp
}

func (c *speaker) sync(t *testing.T) int16 {
	t.Helper()
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 5, "g", c.id, c.generation
	r.ProtocolType, r.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("cooperative-sticky")
	resp := c.w.G.Sync(c.w.Around(), 1, r).Replies[0].Body.(*kmsg.SyncGroupResponse)
	if resp.ErrorCode == 0 {
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(resp.MemberAssignment); err != nil {
			t.Fatal(err)
		}
		c.owned = []int32{}
		for _, topic := range a.Topics {
			c.owned = append(c.owned, topic.Partitions...)
		}
	}
	return resp.ErrorCode
}

func (c *speaker) beat() int16 {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = 4, "g", c.id, c.generation
	return c.w.G.Beat(c.w.Around(), 1, r).Replies[0].Body.(*kmsg.HeartbeatResponse).ErrorCode
}

// act does what the client does next: it joins, or asks whether it has to.
func (c *speaker) act(t *testing.T) {
	if c.generation > 0 {
		switch kerr.ErrorForCode(c.beat()) {
		case nil:
			return
		case error(kerr.RebalanceInProgress):
		default:
			c.forget()
			return
		}
	}
	if resp := c.join(); resp == nil || resp.ErrorCode != 0 {
		return // next time
	}
	switch kerr.ErrorForCode(c.sync(t)) {
	case nil, error(kerr.RebalanceInProgress):
	default:
		c.forget()
	}
}

// forget gives all up, to join again as somebody new.
func (c *speaker) forget() { c.id, c.generation, c.owned = "", 0, nil }

func is(t *testing.T, what string, got int16, want *kerr.Error) {
	t.Helper()
	if kerr.ErrorForCode(got) != error(want) && (got != 0 || want != nil) {
		t.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(got), want)
	}
}

// A member of either protocol, which give partitions to each other.
func TestClassic_BesideTheNewProtocol(t *testing.T) {
	w := newWorld(4)
	a := w.client("a", "t0")
	w.settle(a)
	c := &speaker{w: w}
	is(t, "first join", c.join().ErrorCode, kerr.MemberIDRequired)
	is(t, "join", c.join().ErrorCode, nil)
	is(t, "sync", c.sync(t), nil)
	if len(c.owned) != 0 {
		t.Errorf("it has %v before a has given anything back", c.owned)
	}
	is(t, "heartbeat while a has all", c.beat(), nil)
	a.beat()
	a.beat()
	is(t, "heartbeat when there is something", c.beat(), kerr.RebalanceInProgress)
	is(t, "join again", c.join().ErrorCode, nil)
	is(t, "sync again", c.sync(t), nil)
	if len(c.owned) != 2 || len(a.has) != 2 || w.G.State() != "Stable" {
		t.Errorf("%v and %v, %s", c.owned, a.has, w.G.State())
	}
	is(t, "heartbeat at last", c.beat(), nil)

	b := w.client("b", "t0") // which needs one of c's, or of a's
	for range 10 {
		b.beat()
		a.beat()
		if c.beat() == kerr.RebalanceInProgress.Code {
			is(t, "join", c.join().ErrorCode, nil)
			is(t, "sync", c.sync(t), nil)
		}
	}
	if len(c.owned)+len(a.has)+len(b.has) != 4 || len(b.has) != 1 || w.G.State() != "Stable" {
		t.Errorf("%v, %v and %v, %s", c.owned, a.has, b.has, w.G.State())
	}
	generation := c.generation
	c.generation = 99
	is(t, "from the future", c.beat(), kerr.IllegalGeneration)
	is(t, "sync from the future", c.sync(t), kerr.IllegalGeneration)
	c.generation = generation
	w.Pass(11 * time.Second)
	is(t, "after its session", c.beat(), kerr.UnknownMemberID)
}

// A member that doesn't join again when it should is removed.
func TestClassic_MustJoinInTime(t *testing.T) {
	w := newWorld(4)
	c := &speaker{w: w}
	c.w.G.Join(w.Around(), 1, kmsg.NewPtrJoinGroupRequest(), group.Client{}) // nonsense does no harm
	c.join()
	c.join()
	c.sync(t)
	a := w.client("a", "t0")
	a.beat()
	for range 4 {
		is(t, "heartbeat", c.beat(), kerr.RebalanceInProgress)
		w.Pass(5 * time.Second)
		a.beat()
	}
	is(t, "too late", c.beat(), kerr.UnknownMemberID)
	w.settle(a)
	if len(a.has) != 4 {
		t.Errorf("a has %v", a.has)
	}
}

func TestLeave_ByAdministrator(t *testing.T) {
	w := newWorld(4)
	a, b := w.client("a", "t0"), w.client("b", "t0")
	b.instance = kmsg.StringPtr("i")
	w.settle(a, b)
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version = 5
	r.Members = []kmsg.LeaveGroupRequestMember{{InstanceID: b.instance}, {MemberID: "a"}, {MemberID: "x"}}
	e := w.G.Leave(w.Around(), 1, r)
	w.Take(e)
	resp := e.Replies[0].Body.(*kmsg.LeaveGroupResponse)
	is(t, "by instance", resp.Members[0].ErrorCode, nil)
	is(t, "by id", resp.Members[1].ErrorCode, nil)
	is(t, "nobody", resp.Members[2].ErrorCode, kerr.UnknownMemberID)
	if w.G.Members() != 0 {
		t.Errorf("%d members remain", w.G.Members())
	}
}
