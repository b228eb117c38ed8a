package streams

import (
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/settings"
)

// topicList is topics for tests.
type topicList struct{ list []group.Topic }

func (l *topicList) find(is func(group.Topic) bool) (group.Topic, bool) {
	if i := slices.IndexFunc(l.list, is); i >= 0 {
		return l.list[i], true
	}
	return group.Topic{}, false
}

func (l *topicList) Topic(name string) (group.Topic, bool) {
	return l.find(func(t group.Topic) bool { return t.Name == name })
}

func (l *topicList) TopicByID(id [16]byte) (group.Topic, bool) {
	return l.find(func(t group.Topic) bool { return t.ID == id })
}

func (l *topicList) Names() []string { return nil }

// world is a group with what is around it: time, topics, and the log of its
// records.
type world struct {
	g        *Group
	now      time.Time
	topics   *topicList
	log      []group.Record
	full     bool // the log takes no records
	settings settings.Group
}

func newWorld() *world {
	w := &world{g: New("g"), now: time.UnixMilli(1_000_000), topics: &topicList{}}
	w.settings.Streams = settings.Membership{SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second}
	return w
}

// create makes topics, or gives them more partitions.
func (w *world) create(name string, partitions int32) {
	l := slices.DeleteFunc(slices.Clone(w.topics.list), func(t group.Topic) bool { return t.Name == name })
	w.topics = &topicList{append(l, group.Topic{Name: name, ID: [16]byte{byte(len(l))}, Partitions: partitions})}
}

// createMissing makes the internal topics that the group waits for.
func (w *world) createMissing() {
	for _, n := range w.g.Missing(w.topics) {
		w.create(n.Name, n.Partitions)
	}
}

func (w *world) env() group.Env {
	return group.Env{Now: w.now, Topics: w.topics, MaxMembers: 100, Settings: w.settings}
}

// take stores what a step wants, and makes it true. It reports whether it could.
func (w *world) take(e group.Effects) bool {
	if w.full && len(e.Records) > 0 {
		return false
	}
	for _, r := range e.Records {
		w.log = append(w.log, r)
		if err := w.g.Apply(r); err != nil {
			panic(err)
		}
	}
	return true
}

// restart makes the group anew from its records.
func (w *world) restart() {
	w.g = New("g")
	for _, r := range w.log {
		if err := w.g.Apply(r); err != nil {
			panic(err)
		}
	}
	w.g.Resume(w.env())
}

// pass lets time pass, with all that becomes due in between.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for steps := 0; ; steps++ {
		next := w.g.NextDeadline()
		if next.IsZero() || next.After(end) {
			break
		}
		if steps > 1000 {
			panic("the deadline doesn't move")
		}
		if next.After(w.now) {
			w.now = next
		}
		w.take(w.g.Tick(w.env()))
	}
	w.now = end
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
	e := c.w.g.Heartbeat(c.w.env(), 1, &Heartbeat{StreamsGroupHeartbeatRequest: r, Client: group.Client{ID: c.id, Host: "/h"}})
	if !c.w.take(e) {
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
	r.Group, r.MemberID, r.MemberEpoch = "g", c.id, leaving
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
		w.now = w.now.Add(time.Second)
	}
}

// snapshot is what of a group has to outlive the process, in a form to compare.
func (g *Group) snapshot() string {
	s := fmt.Sprintln(g.epoch, g.hash, g.validated, g.settings, g.targetAt, g.computed)
	if g.topology != nil {
		s += fmt.Sprintln(*g.topology)
	}
	for _, id := range g.memberIDs() {
		m := *g.members[id]
		s += fmt.Sprintln(m.id, m.epoch, m.previous, m.phase, m.client, m.rebalance, m.topologyEpoch, m.process, m.assigned, m.since, m.pending, g.targets[id])
	}
	return s
}
