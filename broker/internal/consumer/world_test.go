package consumer

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/group/grouptest"
)

// world is a group with what is around it.
type world struct{ grouptest.World[*Group] }

func newWorld(topics ...int32) *world {
	w := &world{grouptest.New(New)}
	for i, n := range topics {
		w.Create(fmt.Sprint("t", i), n)
	}
	return w
}

// id is a topic's.
func (w *world) id(topic string) assignor.ID {
	t, _ := w.Topics.Topic(topic)
	return t.ID
}

// client is a member's other end, which does what clients do.
type client struct {
	w        *world
	id       string
	instance *string
	topics   []string
	regex    string
	epoch    int32
	has      map[partition]bool
	told     assignor.Assignment // the assignment it was given last
	tells    bool                // it will tell all of itself next time, since an answer was lost
	last     int16               // code of the last answer
}

func (w *world) client(id string, topics ...string) *client {
	return &client{w: w, id: id, topics: topics, has: map[partition]bool{}}
}

// request is the client's next heartbeat.
func (c *client) request() *kmsg.ConsumerGroupHeartbeatRequest {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch, r.InstanceID = 1, "g", c.id, c.epoch, c.instance
	r.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	for _, id := range c.owned().IDs() {
		r.Topics = append(r.Topics, kmsg.ConsumerGroupHeartbeatRequestTopic{TopicID: id, Partitions: c.owned()[id]})
	}
	if c.epoch == 0 || c.tells {
		r.RebalanceTimeoutMillis = 60_000
		r.SubscribedTopicNames = c.topics
		if c.regex != "" {
			r.SubscribedTopicRegex = &c.regex
		}
	}
	return r
}

func (c *client) owned() assignor.Assignment {
	a := assignor.Assignment{}
	for p := range c.has {
		a[p.topic] = append(a[p.topic], p.index)
	}
	for _, ps := range a {
		slices.Sort(ps)
	}
	return a
}

// send sends a heartbeat; the answer is nil if the group's records can't be stored.
func (c *client) send(r *kmsg.ConsumerGroupHeartbeatRequest) *kmsg.ConsumerGroupHeartbeatResponse {
	e := c.w.G.Heartbeat(c.w.Around(), 1, &Heartbeat{
		ConsumerGroupHeartbeatRequest: r, Client: group.Client{ID: c.id, Host: "/h"}, Visible: func(string) bool { return true },
	})
	if !c.w.Take(e) {
		return nil
	}
	return e.Replies[0].Body.(*kmsg.ConsumerGroupHeartbeatResponse)
}

// beat sends a heartbeat and does what the answer says.
func (c *client) beat() *kmsg.ConsumerGroupHeartbeatResponse {
	resp := c.send(c.request())
	c.obey(resp)
	return resp
}

// obey does what an answer says. No answer makes the client tell all next time.
func (c *client) obey(resp *kmsg.ConsumerGroupHeartbeatResponse) {
	if resp == nil {
		c.tells = true
		return
	}
	c.last, c.tells = resp.ErrorCode, false
	switch resp.ErrorCode {
	case 0:
	case kerr.FencedMemberEpoch.Code, kerr.UnknownMemberID.Code, kerr.GroupIDNotFound.Code:
		c.forget()
		return
	default:
		return
	}
	c.epoch = resp.MemberEpoch
	if resp.Assignment == nil {
		return
	}
	c.told = assignor.Assignment{}
	for _, t := range resp.Assignment.Topics {
		c.told[t.TopicID] = t.Partitions
	}
	for p := range c.has {
		if !c.told.Has(p.topic, p.index) {
			delete(c.has, p)
		}
	}
	for id, ps := range c.told {
		for _, p := range ps {
			c.has[partition{id, p}] = true
		}
	}
}

// forget gives all up, to join again.
func (c *client) forget() {
	c.epoch, c.told = 0, nil
	clear(c.has)
}

func (c *client) leave(epoch int32) int16 {
	r := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.MemberEpoch, r.InstanceID = 1, "g", c.id, epoch, c.instance
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
		w.Pass(time.Second)
	}
}

// snapshot is what of a group has to outlive the process, in a form to compare.
func (g *Group) snapshot() string {
	s := fmt.Sprintln(g.Epoch, g.Hash, g.TargetAt, g.Computed, g.regexes)
	for _, id := range g.MemberIDs() {
		m := *g.Member[id]
		s += fmt.Sprintln(m.id, m.Progress, m.topics, m.regex, m.client, m.rebalance, deref(m.instance), m.assigned, m.pending, g.Target[id])
	}
	for _, p := range slices.SortedFunc(maps.Keys(g.owners), func(a, b partition) int {
		if a.topic != b.topic {
			return slices.Compare(a.topic[:], b.topic[:])
		}
		return int(a.index - b.index)
	}) {
		s += fmt.Sprintln(p, g.owners[p])
	}
	return s
}

func deref(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}
