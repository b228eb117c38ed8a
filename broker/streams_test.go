package broker

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// raw sends one request, of a kind that the client library doesn't know yet, and
// reads the answer.
func raw[R kmsg.Response](t *testing.T, b *Broker, req kmsg.Request) R {
	t.Helper()
	c, err := net.Dial("tcp", b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("raw")).AppendRequest(nil, req, 1)
	if _, err := c.Write(frame); err != nil {
		t.Fatal(err)
	}
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(c, body); err != nil {
		t.Fatal(err)
	}
	resp := req.ResponseKind()
	if err := resp.ReadFrom(body[5:]); err != nil { // after the correlation id, and no tags
		t.Fatal(err)
	}
	return resp.(R)
}

// streamsMember is a member of a streams group that counts words.
type streamsMember struct {
	t     *testing.T
	b     *Broker
	id    string
	epoch int32
	tasks [3][]kmsg.TaskIDs
}

func (m *streamsMember) beat() *kmsg.StreamsGroupHeartbeatResponse {
	m.t.Helper()
	r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch, r.EndpointInformationEpoch = "app", m.id, m.epoch, -1
	r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = m.tasks[0], m.tasks[1], m.tasks[2]
	if m.epoch == 0 {
		r.RebalanceTimeoutMillis, r.ProcessID = 60_000, &m.id
		r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = []kmsg.TaskIDs{}, []kmsg.TaskIDs{}, []kmsg.TaskIDs{}
		r.Topology = &kmsg.StreamsGroupHeartbeatRequestTopology{Subtopologies: []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{
			{SubtopologyID: "0", SourceTopics: []string{"words"}, RepartitionSinkTopics: []string{"app-words-repartition"}},
			{
				SubtopologyID: "1", RepartitionSourceTopics: []kmsg.TopicInfo{{Topic: "app-words-repartition"}},
				StateChangelogTopics: []kmsg.TopicInfo{{Topic: "app-counts-changelog", Configs: []kmsg.TopicInfoConfig{{Key: "cleanup.policy", Value: "compact"}}}},
			},
		}}
	}
	resp := raw[*kmsg.StreamsGroupHeartbeatResponse](m.t, m.b, r)
	if resp.ErrorCode != 0 {
		m.t.Fatalf("heartbeat of %s: %+v", m.id, resp)
	}
	m.epoch = resp.MemberEpoch
	if resp.ActiveTasks != nil {
		m.tasks = [3][]kmsg.TaskIDs{resp.ActiveTasks, resp.StandbyTasks, resp.WarmupTasks}
	}
	return resp
}

func count(ids []kmsg.TaskIDs) (n int) {
	for _, i := range ids {
		n += len(i.Partitions)
	}
	return n
}

func TestStreamsGroup(t *testing.T) {
	cfg := Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", Set: map[string]string{
		"group.streams.assignment.interval.ms": "0", "group.streams.num.standby.replicas": "1",
	}}
	b := start(t, cfg)
	if err := b.CreateTopic(t.Context(), "words", 4); err != nil {
		t.Fatal(err)
	}
	m := &streamsMember{t: t, b: b, id: "m"}
	if resp := m.beat(); len(resp.Status) != 1 || resp.Status[0].StatusCode != 3 {
		t.Fatalf("first heartbeat: %+v", resp)
	}
	adm := kadm.NewClient(client(t, b))
	topics, err := adm.ListTopics(timeout(t))
	if err != nil || len(topics["app-words-repartition"].Partitions) != 4 || len(topics["app-counts-changelog"].Partitions) != 4 {
		t.Fatalf("internal topics: %v, %v", topics.Names(), err)
	}
	if resp := m.beat(); len(resp.Status) != 0 || count(m.tasks[0]) != 8 {
		t.Fatalf("second heartbeat: %+v", resp)
	}
	n := &streamsMember{t: t, b: b, id: "n"}
	for range 6 {
		n.beat()
		m.beat()
	}
	if count(m.tasks[0]) != 4 || count(n.tasks[0]) != 4 || count(m.tasks[1])+count(n.tasks[1]) != 4 {
		t.Fatalf("two members: %v and %v", m.tasks, n.tasks)
	}

	cfg.Listen = b.Addr()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = start(t, cfg)
	m.b, n.b = b, b
	d := kmsg.NewPtrStreamsGroupDescribeRequest()
	d.Groups = []string{"app", "none"}
	got := raw[*kmsg.StreamsGroupDescribeResponse](t, b, d).Groups
	if g := got[0]; g.State != "Stable" || len(g.Members) != 2 || len(g.Topology.Subtopologies) != 2 || count(g.Members[0].Assignment.ActiveTasks) != 4 {
		t.Errorf("after a restart: %+v", g)
	}
	if got[1].ErrorCode == 0 {
		t.Errorf("a group that is not: %+v", got[1])
	}
	if resp := m.beat(); resp.ActiveTasks != nil || resp.MemberEpoch != m.epoch {
		t.Errorf("first heartbeat after a restart: %+v", resp)
	}
	adm = kadm.NewClient(client(t, b))
	gs, err := adm.ListGroups(timeout(t))
	if err != nil || gs["app"].ProtocolType != "streams" {
		t.Errorf("groups: %+v, %v", gs, err)
	}
	if rs, _ := adm.DeleteGroups(timeout(t), "app"); rs["app"].Err == nil {
		t.Error("a group with members was deleted")
	}
	for _, id := range []string{"m", "n"} {
		r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
		r.Group, r.MemberID, r.MemberEpoch = "app", id, -1
		raw[*kmsg.StreamsGroupHeartbeatResponse](t, b, r)
	}
	if rs, err := adm.DeleteGroups(timeout(t), "app"); err != nil || rs["app"].Err != nil {
		t.Errorf("delete: %v, %v", rs["app"].Err, err)
	}
}

// Who may not make topics is told so.
func TestStreamsGroup_MayNotCreateTopics(t *testing.T) {
	b := start(t, Config{Listen: "127.0.0.1:0", Authorizer: &Authorizer{}})
	if err := b.CreateTopic(t.Context(), "words", 1); err != nil {
		t.Fatal(err)
	}
	leave := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	leave.Group, leave.MemberID, leave.MemberEpoch = "app", "m", -1
	if resp := raw[*kmsg.StreamsGroupHeartbeatResponse](t, b, leave); resp.ErrorCode != kerr.GroupAuthorizationFailed.Code {
		t.Errorf("without any right: %+v", resp)
	}
	acls := kmsg.NewPtrCreateACLsRequest()
	for _, r := range []rule{
		{kmsg.ACLResourceTypeGroup, "app", kmsg.ACLOperationRead},
		{kmsg.ACLResourceTypeTopic, "words", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeTopic, "app-words-repartition", kmsg.ACLOperationDescribe},
		{kmsg.ACLResourceTypeTopic, "app-counts-changelog", kmsg.ACLOperationDescribe},
	} {
		c := r.creation()
		c.Principal = "User:ANONYMOUS"
		acls.Creations = append(acls.Creations, c)
	}
	inside := client(t, b, kgo.Dialer(b.Dial), kgo.SeedBrokers(address(b.local.node)))
	if _, err := acls.RequestWith(timeout(t), inside); err != nil {
		t.Fatal(err)
	}
	m := &streamsMember{t: t, b: b, id: "m"}
	resp := m.beat()
	if len(resp.Status) != 1 || !strings.Contains(resp.Status[0].StatusDetail, "Unauthorized to CREATE on topics app-counts-changelog, app-words-repartition.") {
		t.Errorf("who may not make topics: %+v", resp)
	}
	if topics, err := kadm.NewClient(inside).ListTopics(timeout(t)); err != nil || topics.Has("app-counts-changelog") {
		t.Errorf("topics: %v, %v", topics.Names(), err)
	}
}
