package sharegroup

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// Change is what an admin changes of the partitions of which a group has a state.
type Change func(shared assignor.Assignment)

// Reshape lets an admin change the partitions of which the group has a state, if
// nobody fetches from them. The code is 0 or why not.
func (g *Group) Reshape(env group.Env, change Change) (group.Effects, int16) {
	s := g.begin(env)
	// Members would go on with what they have been told.
	if len(g.Member) > 0 {
		return s.Effects, kerr.NonEmptyGroup.Code
	}
	next := g.existing(env.Topics)
	change(next)
	if !next.Equal(g.shared) {
		s.Add(g.sharedRecord(env.Topics, next))
	}
	return s.Effects, 0
}

// Add notes that the group has a state of a partition.
func Add(shared assignor.Assignment, topic assignor.ID, p int32) {
	if !shared.Has(topic, p) {
		shared[topic] = insert(shared[topic], p)
	}
}
