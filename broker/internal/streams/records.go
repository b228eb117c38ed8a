package streams

import (
	"slices"
	"time"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/flex"
)

// groupValue is the value of a record of the group.
type groupValue struct {
	epoch     int32
	hash      int64
	validated int32
	settings  []keyValue
}

// schema of a group's record. Without the first tag no topology has been found
// valid; 0 is the epoch of one.
func (v *groupValue) schema(c *flex.Coder) {
	if c.Reading() {
		v.validated = -1
	}
	c.Int32(&v.epoch)
	c.Int64(&v.hash)
	c.End(
		flex.Tag{ID: 0, Set: v.validated != -1, Field: func(c *flex.Coder) { c.Int32(&v.validated) }},
		flex.Tag{ID: 1, Set: v.settings != nil, Field: func(c *flex.Coder) {
			flex.Slice(c, &v.settings, func(kv *keyValue) { kv.schema(c) })
		}},
	)
}

// taskIDs is tasks of a sub-topology, with the epochs at which a member got them,
// if they are told.
type taskIDs struct {
	subtopology string
	partitions  []int32
	epochs      []int32
}

func (v *taskIDs) schema(c *flex.Coder) {
	c.String(&v.subtopology)
	c.Int32s(&v.partitions)
	c.End(flex.Tag{ID: 0, Set: v.epochs != nil, Field: func(c *flex.Coder) { c.Int32s(&v.epochs) }})
}

// codeTasks codes tasks; since is the epochs of them, nil if none are told. What is
// read is put in order, and freed of what stands there twice: others may have
// written it.
func codeTasks(c *flex.Coder, t *assignor.Tasks, since epochs) {
	var ids []taskIDs
	for _, name := range t.Names() {
		v := taskIDs{subtopology: name, partitions: (*t)[name]}
		for _, p := range v.partitions {
			if since != nil && !c.Reading() {
				v.epochs = append(v.epochs, since[name][p])
			}
		}
		ids = append(ids, v)
	}
	flex.Slice(c, &ids, func(v *taskIDs) { v.schema(c) })
	if !c.Reading() {
		return
	}
	*t = assignor.Tasks{}
	for _, v := range ids {
		for i, p := range v.partitions {
			if since != nil && i < len(v.epochs) {
				since.put(v.subtopology, p, v.epochs[i])
			}
		}
		slices.Sort(v.partitions)
		if ps := slices.Compact(append((*t)[v.subtopology], v.partitions...)); len(ps) > 0 {
			(*t)[v.subtopology] = ps
		}
	}
}

// rolesSchema is a member's target.
func rolesSchema(r *assignor.Roles) func(*flex.Coder) {
	return func(c *flex.Coder) {
		for _, t := range roles(r) {
			codeTasks(c, t, nil)
		}
		c.End()
	}
}

// currentSchema is what a member has.
func (m *member) currentSchema(c *flex.Coder) {
	c.Int32(&m.Epoch)
	c.Int32(&m.Previous)
	c.Int8((*int8)(&m.Phase))
	if c.Reading() {
		m.since = epochs{}
	}
	codeTasks(c, &m.assigned.Active, m.since)
	codeTasks(c, &m.assigned.Standby, nil)
	codeTasks(c, &m.assigned.Warmup, nil)
	for _, t := range roles(&m.pending) {
		codeTasks(c, t, nil)
	}
	c.End()
}

// metadataSchema is what a member tells of itself.
func (m *member) metadataSchema(c *flex.Coder) {
	rebalance := int32(m.rebalance.Milliseconds())
	c.NullString(&m.instance)
	c.NullString(&m.rack)
	c.String(&m.client.ID)
	c.String(&m.client.Host)
	c.Int32(&rebalance)
	c.Int32(&m.topologyEpoch)
	c.String(&m.process)
	if c.Null(m.endpoint != nil) {
		if c.Reading() {
			m.endpoint = &endpoint{}
		}
		c.String(&m.endpoint.host)
		c.Uint16(&m.endpoint.port)
		c.End()
	}
	flex.Slice(c, &m.tags, func(kv *keyValue) { kv.schema(c) })
	c.End()
	m.rebalance = time.Duration(rebalance) * time.Millisecond
}
