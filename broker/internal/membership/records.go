package membership

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
)

// targetValue is the value of a record of the target as a whole. When it was
// computed is told by Kafka 4.2 and newer, for the interval between assignments.
type targetValue struct {
	epoch int32
	at    int64
}

func (v *targetValue) schema(c *flex.Coder) {
	c.Int32(&v.epoch)
	c.End(flex.Tag{ID: 0, Set: v.at != 0, Field: func(c *flex.Coder) { c.Int64(&v.at) }})
}

// AssignmentSchema is that of a record with nothing but an assignment.
func AssignmentSchema(a *assignor.Assignment) func(*flex.Coder) {
	return func(c *flex.Coder) {
		CodeAssignment(c, a)
		c.End()
	}
}

// CodeAssignment codes an assignment as a list of topics. What is read is put in
// order, and freed of what stands there twice: others may have written it.
func CodeAssignment(c *flex.Coder, a *assignor.Assignment) {
	type topic struct {
		id         assignor.ID
		partitions []int32
	}
	var list []topic
	for _, id := range a.IDs() {
		list = append(list, topic{id, (*a)[id]})
	}
	flex.Slice(c, &list, func(t *topic) {
		c.UUID(&t.id)
		c.Int32s(&t.partitions)
		c.End()
	})
	if !c.Reading() {
		return
	}
	*a = assignor.Assignment{}
	for _, t := range list {
		Merge(*a, t.id, t.partitions)
	}
}

// Merge adds partitions of a topic to an assignment.
func Merge(a assignor.Assignment, id assignor.ID, partitions []int32) {
	ps := append(slices.Clone(a[id]), partitions...)
	slices.Sort(ps)
	if ps = slices.Compact(ps); len(ps) > 0 {
		a[id] = ps
	}
}
