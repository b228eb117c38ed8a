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
	"github.com/leatstream/leat/broker/internal/settings"
)

// topicList is topics for tests.
type topicList struct{ list []group.Topic }

func (l *topicList) Topic(name string) (group.Topic, bool) {
	i := slices.IndexFunc(l.list, func(t group.Topic) bool { return t.Name == name })
	if i < 0 {
		return group.Topic{}, false
	}
	return l.list[i], true
}

func (l *topicList) TopicByID(id [16]byte) (group.Topic, bool) {
	i := slices.IndexFunc(l.list, func(t group.Topic) bool { return t.ID == id })
	if i < 0 {
		return group.Topic{}, false
	}
	return l.list[i], true
}

func (l *topicList) Names() []string {
	var names []string
	for _, t := range l.list {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// world is a group with what is around it: time, topics, and the log of its
// records.
type world struct {
	g      *Group
	now    time.Time
	topics *topicList
	made   int // topics, ever
	log    []group.Record
	ids    int
	limit  int
	full   bool // the log takes no records

	interval  time.Duration // between assignments
	migration group.Migration
}

func newWorld(topics ...int32) *world {
	w := &world{g: New("g"), now: time.UnixMilli(1_000_000), topics: &topicList{}, limit: 100}
	for i, n := range topics {
		w.create(fmt.Sprint("t", i), n)
	}
	return w
}

// create makes a topic, or one in place of that with the name.
func (w *world) create(name string, partitions int32) {
	w.made++
	w.change(func(l []group.Topic) []group.Topic {
		l = slices.DeleteFunc(l, func(t group.Topic) bool { return t.Name == name })
		return append(l, group.Topic{Name: name, ID: [16]byte{byte(w.made), 1}, Partitions: partitions})
	})
}

func (w *world) change(f func([]group.Topic) []group.Topic) {
	w.topics = &topicList{f(slices.Clone(w.topics.list))}
}

func (w *world) env() group.Env {
	return group.Env{
		Now: w.now, Topics: w.topics, MaxMembers: w.limit,
		Settings:  settings.Group{Consumer: settings.Membership{SessionTimeout: 45 * time.Second, HeartbeatInterval: 5 * time.Second, AssignmentInterval: w.interval}},
		Migration: w.migration,
		NewID:     func() string { w.ids++; return fmt.Sprint("new-", w.ids) },
	}
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
	e := c.w.g.Heartbeat(c.w.env(), 1, &Heartbeat{
		ConsumerGroupHeartbeatRequest: r, Client: group.Client{ID: c.id, Host: "/h"}, Visible: func(string) bool { return true },
	})
	if !c.w.take(e) {
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
		w.pass(time.Second)
	}
}

// snapshot is what of a group has to outlive the process, in a form to compare.
func (g *Group) snapshot() string {
	s := fmt.Sprintln(g.epoch, g.hash, g.targetAt, g.computed, g.regexes)
	for _, id := range g.memberIDs() {
		m := *g.members[id]
		s += fmt.Sprintln(m.id, m.epoch, m.previous, m.phase, m.topics, m.regex, m.client, m.rebalance, deref(m.instance), m.assigned, m.pending, g.targets[id])
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
