// Package grouptest is what is around a group's members in the tests of the kinds
// of groups: time that passes when told to, topics that come and go, and a log that
// takes the records of steps, or doesn't.
//
// It is a coordinator without a broker: steps are carried out as package coord
// does, but one at a time, and with panics for what must not happen.
package grouptest

import (
	"fmt"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/internal/invariant"
)

// ID is the group's name.
const ID = "g"

// World is a group and what is around it. It is not safe for concurrent use.
type World[G group.Membership] struct {
	// Env is what steps see, but for Now, Topics and NewID, which are the world's.
	// Tests may set the rest.
	group.Env

	G    G
	Log  []group.Record // all that was ever stored
	Full bool           // the log takes no records

	found  func(id string) G
	topics []group.Topic
	made   int // topics, ever
	ids    int // given out, ever
}

// New returns a world with an empty group and no topics.
func New[G group.Membership](found func(id string) G) World[G] {
	w := World[G]{found: found, G: found(ID)}
	w.Now, w.MaxMembers = time.UnixMilli(1_000_000), 100
	w.Settings.Consumer.SessionTimeout, w.Settings.Consumer.HeartbeatInterval = 45*time.Second, 5*time.Second
	w.Settings.Share, w.Settings.Streams = w.Settings.Consumer, w.Settings.Consumer
	w.Change(func(list []group.Topic) []group.Topic { return list })
	return w
}

// NextID returns what was not returned before.
func (w *World[G]) NextID() int {
	w.ids++
	return w.ids
}

// Around is what a step sees now.
func (w *World[G]) Around() group.Env {
	e := w.Env
	e.NewID = func() string { return fmt.Sprint("new-", w.NextID()) }
	return e
}

// Create makes a topic, or one in place of that with the name.
func (w *World[G]) Create(name string, partitions int32) {
	w.made++
	w.Change(func(list []group.Topic) []group.Topic {
		list = slices.DeleteFunc(list, func(t group.Topic) bool { return t.Name == name })
		return append(list, group.Topic{Name: name, ID: [16]byte{byte(w.made), 1}, Partitions: partitions})
	})
}

// Change changes the topics there are.
func (w *World[G]) Change(f func([]group.Topic) []group.Topic) {
	w.topics = f(slices.Clone(w.topics))
	w.Topics = &list{w.topics}
}

// Take stores what a step wants, and makes it true. It reports whether it could.
func (w *World[G]) Take(e group.Effects) bool {
	if w.Full && len(e.Records) > 0 {
		return false
	}
	w.Log = append(w.Log, e.Records...)
	w.apply(e.Records)
	return true
}

func (w *World[G]) apply(rs []group.Record) {
	for _, r := range rs {
		if err := w.G.Apply(r); err != nil {
			invariant.Violated("a record that a step made can't be applied: %v", err)
		}
	}
}

// Restart makes the group anew from its records.
func (w *World[G]) Restart() {
	w.G = w.found(ID)
	w.apply(w.Log)
	w.G.Resume(w.Around())
}

// Pass lets time pass, with all that becomes due in between.
func (w *World[G]) Pass(d time.Duration) {
	end := w.Now.Add(d)
	for steps := 0; ; steps++ {
		next := w.G.NextDeadline()
		if next.IsZero() || next.After(end) {
			break
		}
		if steps > 1000 {
			invariant.Violated("the group has something to do at %v again and again", next)
		}
		if next.After(w.Now) {
			w.Now = next
		}
		w.Take(w.G.Tick(w.Around()))
	}
	w.Now = end
}

// list is the topics of a world at a moment.
type list struct{ topics []group.Topic }

func (l *list) find(is func(group.Topic) bool) (group.Topic, bool) {
	if i := slices.IndexFunc(l.topics, is); i >= 0 {
		return l.topics[i], true
	}
	return group.Topic{}, false
}

// Topic finds a topic by name.
func (l *list) Topic(name string) (group.Topic, bool) {
	return l.find(func(t group.Topic) bool { return t.Name == name })
}

// TopicByID finds a topic by id.
func (l *list) TopicByID(id [16]byte) (group.Topic, bool) {
	return l.find(func(t group.Topic) bool { return t.ID == id })
}

// Names lists all topics.
func (l *list) Names() []string {
	var names []string
	for _, t := range l.topics {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}
