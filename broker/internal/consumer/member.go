package consumer

import (
	"iter"
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
	topics         []string // subscribed to by name, in order
	regex          string   // subscribed to, or ""
	rebalance      time.Duration
	assignor       *string
	classic        *classic // nil if it speaks the consumer protocol

	assigned owned // what it has, or is told to have
	pending  owned // what it has to give back
}

// owned is the partitions of a member, each with the member epoch at which it got
// it.
type owned map[assignor.ID]map[int32]int32

// Name is the member's id.
func (m *member) Name() string { return m.id }

// clone copies a member, to be changed. What it points to must be replaced, not
// changed.
func (m *member) clone() *member {
	c := *m
	return &c
}

// has is all that the member may be working on.
func (m *member) has() iter.Seq[partition] {
	return func(yield func(partition) bool) {
		for _, o := range []owned{m.assigned, m.pending} {
			for id, ps := range o {
				for p := range ps {
					if !yield(partition{id, p}) {
						return
					}
				}
			}
		}
	}
}

// add gives a partition an epoch.
func (o owned) add(id assignor.ID, p, epoch int32) {
	if o[id] == nil {
		o[id] = map[int32]int32{}
	}
	o[id][p] = epoch
}

func (o owned) has(id assignor.ID, p int32) bool {
	_, ok := o[id][p]
	return ok
}

func (o owned) equal(b owned) bool {
	return maps.EqualFunc(o, b, maps.Equal[map[int32]int32])
}

// samePartitions is equal without the epochs.
func (o owned) samePartitions(b owned) bool {
	return maps.EqualFunc(o, b, func(x, y map[int32]int32) bool {
		return maps.EqualFunc(x, y, func(int32, int32) bool { return true })
	})
}

// partitions is what is owned.
func (o owned) partitions() assignor.Assignment {
	a := assignor.Assignment{}
	for id, ps := range o {
		a[id] = slices.Sorted(maps.Keys(ps))
	}
	return a
}

// sameSubscription says whether two members want the same topics.
func (m *member) sameSubscription(b *member) bool {
	return m.regex == b.regex && slices.Equal(m.topics, b.topics)
}

// sameMetadata says whether all that the member tells of itself is the same.
func (m *member) sameMetadata(b *member) bool {
	return m.sameSubscription(b) && m.client == b.client && m.rebalance == b.rebalance &&
		equal(m.instance, b.instance) && equal(m.rack, b.rack) && equal(m.assignor, b.assignor) && m.classic.equal(b.classic)
}

// sameState says whether the members are equally far, with the same partitions.
func (m *member) sameState(b *member) bool {
	return m.Progress == b.Progress && m.assigned.equal(b.assigned) && m.pending.equal(b.pending)
}

func equal(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// classic is what a member that speaks the classic protocol told when it joined.
type classic struct {
	session   time.Duration
	protocols []protocol
}

type protocol struct {
	name     string
	metadata []byte
}

func (c *classic) equal(b *classic) bool {
	if c == nil || b == nil {
		return c == b
	}
	return c.session == b.session && slices.EqualFunc(c.protocols, b.protocols, func(x, y protocol) bool {
		return x.name == y.name && string(x.metadata) == string(y.metadata)
	})
}
