package streams

import (
	"maps"
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// phase is how far a member is on its way to its target. The numbers are those in
// records.
type phase int8

const (
	stable    phase = 0 // it has what it should have
	revoking  phase = 1 // it has to give tasks back
	releasing phase = 2 // others have tasks that it should have
)

// member is one member. It is never modified once it is in a group: steps change a
// copy, and the records of it replace the member.
type member struct {
	id             string
	instance, rack *string
	client         group.Client
	rebalance      time.Duration
	topologyEpoch  int32
	process        string
	endpoint       *endpoint
	tags           []keyValue

	epoch, previous int32
	phase           phase
	assigned        assignor.Roles // what it has, or is told to have
	since           epochs         // of the active tasks among them
	pending         assignor.Roles // what it has to give back
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

func (m *member) clone() *member {
	c := *m
	return &c
}

// advance gives the member an epoch.
func (m *member) advance(epoch int32) { m.previous, m.epoch = m.epoch, epoch }

// sameMetadata says whether all that the member tells of itself is the same.
func (m *member) sameMetadata(b *member) bool {
	return m.client == b.client && m.rebalance == b.rebalance && m.topologyEpoch == b.topologyEpoch && m.process == b.process &&
		equal(m.instance, b.instance) && equal(m.rack, b.rack) && equal(m.endpoint, b.endpoint) && slices.Equal(m.tags, b.tags)
}

// sameState says whether the members are equally far, with the same tasks.
func (m *member) sameState(b *member) bool {
	return m.epoch == b.epoch && m.previous == b.previous && m.phase == b.phase && m.assigned.Equal(b.assigned) && m.pending.Equal(b.pending) &&
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
