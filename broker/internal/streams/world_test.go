package streams

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/group/grouptest"
	"github.com/leatstream/leat/broker/internal/membership"
)

// world is a group with what is around it.
type world struct{ grouptest.World[*Group] }

func newWorld() *world { return &world{grouptest.New(New)} }

// createMissing makes the internal topics that the group waits for.
func (w *world) createMissing() {
	for _, n := range w.G.Missing(w.Topics) {
		w.Create(n.Name, n.Partitions)
	}
}

// client is a member's other end, which does what clients do.
type client struct {
	w           *world
	id, process string
	endpoint    string
	epoch       int32
	endpoints   int32
	has         assignor.Roles
	topology    *kmsg.StreamsGroupHeartbeatRequestTopology
}

// client makes one of an app that counts words: a sub-topology that reads t and
// writes to a repartition topic, and one that counts what comes from there.
func (w *world) client(id, process string) *client {
	return &client{w: w, id: id, process: process, has: noTasks(), endpoints: -1, topology: wordcount()}
}

func wordcount() *kmsg.StreamsGroupHeartbeatRequestTopology {
	count := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
	count.SubtopologyID = "1"
	count.RepartitionSourceTopics = []kmsg.TopicInfo{{Topic: "g-r"}}
	count.StateChangelogTopics = []kmsg.TopicInfo{{Topic: "g-c", Configs: []kmsg.TopicInfoConfig{{Key: "cleanup.policy", Value: "compact"}}}}
	split := kmsg.NewStreamsGroupHeartbeatRequestTopologySubtopology()
	split.SubtopologyID, split.SourceTopics, split.RepartitionSinkTopics = "0", []string{"t"}, []string{"g-r"}
	t := kmsg.NewStreamsGroupHeartbeatRequestTopology()
	t.Subtopologies = []kmsg.StreamsGroupHeartbeatRequestTopologySubtopology{split, count}
	return &t
}

// request is the client's next heartbeat.
func (c *client) request() *kmsg.StreamsGroupHeartbeatRequest {
	r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch, r.EndpointInformationEpoch = "g", c.id, c.epoch, c.endpoints
	r.ActiveTasks, r.StandbyTasks, r.WarmupTasks = idsOf(c.has.Active), idsOf(c.has.Standby), []kmsg.TaskIDs{}
	if c.epoch == 0 {
		r.RebalanceTimeoutMillis, r.Topology, r.ProcessID = 60_000, c.topology, &c.process
		if c.endpoint != "" {
			r.UserEndpoint = &kmsg.StreamsGroupHeartbeatRequestUserEndpoint{Host: c.endpoint, Port: 1}
		}
	}
	return r
}

// send sends a heartbeat; the answer is nil if the group's records can't be stored.
func (c *client) send(r *kmsg.StreamsGroupHeartbeatRequest) *kmsg.StreamsGroupHeartbeatResponse {
	e := c.w.G.Heartbeat(c.w.Around(), 1, &Heartbeat{StreamsGroupHeartbeatRequest: r, Client: group.Client{ID: c.id, Host: "/h"}})
	if !c.w.Take(e) {
		return nil
	}
	return e.Replies[0].Body.(*kmsg.StreamsGroupHeartbeatResponse)
}

// beat sends a heartbeat and does what the answer says. A client that gets no
// answer gives all up and joins again: that is how it learns all.
func (c *client) beat() *kmsg.StreamsGroupHeartbeatResponse {
	resp := c.send(c.request())
	if resp == nil {
		return nil
	}
	switch resp.ErrorCode {
	case 0:
	case kerr.FencedMemberEpoch.Code, kerr.UnknownMemberID.Code, kerr.GroupIDNotFound.Code:
		c.forget()
		return resp
	default:
		return resp
	}
	c.epoch, c.endpoints = resp.MemberEpoch, resp.EndpointInformationEpoch
	if resp.ActiveTasks != nil {
		told := Heartbeat{StreamsGroupHeartbeatRequest: &kmsg.StreamsGroupHeartbeatRequest{ActiveTasks: resp.ActiveTasks, StandbyTasks: resp.StandbyTasks, WarmupTasks: resp.WarmupTasks}}
		c.has = *told.reported()
	}
	return resp
}

func (c *client) forget() { c.epoch, c.endpoints, c.has = 0, -1, noTasks() }

func (c *client) leave() int16 {
	r := kmsg.NewPtrStreamsGroupHeartbeatRequest()
	r.Group, r.MemberID, r.MemberEpoch = "g", c.id, membership.Leaving
	resp := c.send(r)
	c.forget()
	if resp == nil {
		return -1
	}
	return resp.ErrorCode
}

// settle lets all beat until nothing changes.
func (w *world) settle(clients ...*client) {
	for range 20 {
		for _, c := range clients {
			c.beat()
		}
		w.createMissing()
		w.Now = w.Now.Add(time.Second)
	}
}

// snapshot is what of a group has to outlive the process, in a form to compare.
func (g *Group) snapshot() string {
	s := fmt.Sprintln(g.Epoch, g.Hash, g.validated, g.settings, g.TargetAt, g.Computed)
	if g.topology != nil {
		s += fmt.Sprintln(*g.topology)
	}
	for _, id := range g.MemberIDs() {
		m := *g.Member[id]
		s += fmt.Sprintln(m.id, m.Progress, m.client, m.rebalance, m.topologyEpoch, m.process, m.assigned, m.since, m.pending, g.Target[id])
	}
	return s
}
