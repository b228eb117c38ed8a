package streams

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/membership"
)

// member is one member. It is never modified once it is in a group: steps change a
// copy, and the records of it replace the member.
type member struct {
	membership.Progress

	id             string
	instance, rack *string
	client         group.Client
	rebalance      time.Duration
	topologyEpoch  int32
	process        string
	endpoint       *endpoint
	tags           []keyValue

	assigned assignor.Roles // what it has, or is told to have
	since    epochs         // of the active tasks among them
	pending  assignor.Roles // what it has to give back
}

// endpoint is where a member answers queries.
type endpoint struct {
	host string
	port uint16
}

// epochs is the member epochs at which tasks came.
type epochs map[string]map[int32]int32

func (e epochs) put(sub string, p, epoch int32) {
	if e[sub] == nil {
		e[sub] = map[int32]int32{}
	}
	e[sub][p] = epoch
}

// Name is the member's id.
func (m *member) Name() string { return m.id }

// clone copies a member, to be changed. What it points to must be replaced, not
// changed.
func (m *member) clone() *member {
	c := *m
	return &c
}

// sameMetadata says whether all that the member tells of itself is the same.
func (m *member) sameMetadata(b *member) bool {
	return m.client == b.client && m.rebalance == b.rebalance && m.topologyEpoch == b.topologyEpoch && m.process == b.process &&
		equal(m.instance, b.instance) && equal(m.rack, b.rack) && equal(m.endpoint, b.endpoint) && slices.Equal(m.tags, b.tags)
}

// sameState says whether the members are equally far, with the same tasks.
func (m *member) sameState(b *member) bool {
	return m.Progress == b.Progress && m.assigned.Equal(b.assigned) && m.pending.Equal(b.pending) &&
		maps.EqualFunc(m.since, b.since, maps.Equal[map[int32]int32])
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// roles are the three kinds of tasks, to go through them.
func roles(r *assignor.Roles) []*assignor.Tasks {
	return []*assignor.Tasks{&r.Active, &r.Standby, &r.Warmup}
}

func noTasks() assignor.Roles {
	return assignor.Roles{Active: assignor.Tasks{}, Standby: assignor.Tasks{}, Warmup: assignor.Tasks{}}
}

// empty says whether there is no task.
func empty(r assignor.Roles) bool {
	return r.Active.Count()+r.Standby.Count()+r.Warmup.Count() == 0
}
