package group

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/leatstream/leat/broker/internal/settings"
)

// Topic is what groups need to know of a topic.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int32
}

// Topics is the topics there are at one moment. Two values are equal, by ==, if
// nothing has changed between them; they may be unequal even so.
type Topics interface {
	Topic(name string) (Topic, bool)
	TopicByID(id [16]byte) (Topic, bool)
	// Names lists all topics, in order.
	Names() []string
}

// Env is what a step of a membership may look at.
type Env struct {
	Now      time.Time
	Topics   Topics
	Settings settings.Group
	// Known says that there is such a group, be it of another kind.
	Known bool
	// MaxMembers is how many members a group of the kind may have.
	MaxMembers int
	// Migration says which groups may change their protocol while they have
	// members.
	Migration Migration
	// NewID returns an id for a member that comes without one.
	NewID func() string
}

// Migration is the ways in which groups of consumers may change between the two
// protocols while they have members.
type Migration struct {
	Upgrade   bool // from the classic protocol
	Downgrade bool // to it
}

// MigrationOf is what a value of group.consumer.migration.policy means.
func MigrationOf(policy string) Migration {
	both := policy == "bidirectional"
	return Migration{Upgrade: both || policy == "upgrade", Downgrade: both || policy == "downgrade"}
}

// Hash is a number that differs when the named topics do: one is created or
// deleted, or has more partitions.
func Hash(topics Topics, names []string) int64 {
	h := fnv.New64a()
	found := false
	var b []byte
	for _, name := range slices.Sorted(slices.Values(names)) {
		t, ok := topics.Topic(name)
		if !ok {
			continue
		}
		found = true
		b = append(b[:0], t.Name...)
		b = append(b, 0)
		b = append(b, t.ID[:]...)
		b = strconv.AppendInt(b, int64(t.Partitions), 10)
		h.Write(append(b, 0)) // never fails
	}
	if !found {
		return 0
	}
	return int64(h.Sum64())
}

// Membership is the members of a group to which the broker assigns partitions,
// and their assignments. It is the state machine of one kind of groups, as pure
// as [Group] is:
//
//   - A step (a heartbeat, Tick) decides. It returns [Effects] and changes nothing
//     that has to outlive the process: no epoch, member or assignment.
//   - Apply takes one record. It gets the records of a step once they are stored,
//     in their order, and those that are read when the broker starts. So what a
//     restart finds is what was.
//   - What is not in records (sessions, time limits) is set by steps, and by Resume
//     after a start.
//
// Package coord calls all of them from one goroutine. It forgets a membership
// whose last trace is gone: when a tombstone ends the group.
type Membership interface {
	Kind() Kind
	// State is Kafka's name of the group's state.
	State() string
	// Members is how many there are.
	Members() int
	// Apply takes a record, which is of a type of its kind. Damaged records are
	// errors, and change nothing.
	Apply(r Record) error
	// Resume starts the sessions of members after the records have been read.
	Resume(env Env)
	// NextDeadline is when Tick has something to do; zero is never.
	NextDeadline() time.Time
	// Tick ends the sessions and waits whose time has come.
	Tick(env Env) Effects
	// CheckCommit says whether by may commit offsets of the partitions: 0, or the
	// error code.
	CheckCommit(env Env, by Committer, ps []Commit) int16
	// CheckFetch says whether a member may fetch offsets: 0, or the error code. An
	// empty id with a negative epoch is somebody outside.
	CheckFetch(memberID string, epoch int32) int16
	// Subscribed says whether a member consumes the topic.
	Subscribed(topic string) bool
	// Tombstones are the records that remove every trace of the group but its
	// offsets; that which Ends comes last.
	Tombstones() []Record
}

// Membership is the group's, nil for a classic group.
func (g *Group) Membership() Membership { return g.membership }

// Become gives the group the membership, in place of what it had; nil makes it a
// classic group without members. Its offsets stay.
func (g *Group) Become(m Membership, now time.Time) {
	offsets, open := g.offsets, g.open
	*g = *New(g.id, g.cfg, now)
	g.offsets, g.open, g.membership = offsets, open, m
}

// Kind is the kind of the group.
func (g *Group) Kind() Kind {
	if g.membership != nil {
		return g.membership.Kind()
	}
	return Classic
}

// StateName is Kafka's name of the group's state.
func (g *Group) StateName() string {
	if g.membership != nil && g.state != Dead {
		return g.membership.State()
	}
	return g.state.String()
}

// Vacant says that the group has no members, nor somebody about to become one: it
// may become a group of another kind.
func (g *Group) Vacant() bool {
	if g.membership != nil {
		return g.membership.Members() == 0
	}
	return g.state == Empty && len(g.pending) == 0
}

// Leftovers are the records that remove what the group is, but for its offsets,
// before it becomes a group of another kind.
func (g *Group) Leftovers() []Record {
	if g.membership != nil {
		return g.membership.Tombstones()
	}
	if g.generation > 0 || g.protocolType != "" {
		return []Record{{Key: groupKey(g.id)}}
	}
	return nil
}
