package worker

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"github.com/leatstream/leat/internal/assign"
	"github.com/leatstream/leat/internal/client"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/topic"
)

// layout is which tasks there are and which partitions belong to which, made
// once the numbers of partitions are known. It is immutable.
type layout struct {
	app    string
	subs   []*topology.Subtopology
	counts topology.Counts
	hash   uint64 // of the topology
	inputs map[task.ID][]record.TopicPartition
	owner  map[record.TopicPartition]task.ID
	topics []string               // sources of tasks, sorted
	starts map[string]topic.Start // of those topics that don't begin as the others do
}

func newLayout(app string, g *topology.Graph, counts topology.Counts) *layout {
	l := &layout{
		app: app, subs: g.Subtopologies(), counts: counts,
		inputs: make(map[task.ID][]record.TopicPartition),
		owner:  make(map[record.TopicPartition]task.ID),
		starts: make(map[string]topic.Start),
	}
	h := fnv.New64a()
	h.Write([]byte(g.Describe()))
	if g.HasPatterns() {
		// Instances that know of different topics can't share tasks out.
		for _, sub := range l.subs {
			fmt.Fprintln(h, sourceTopics(sub, app, counts))
		}
	}
	l.hash = h.Sum64()
	for _, sub := range l.subs {
		for n := range sub.Tasks(app, counts) {
			id := task.ID{Sub: sub.Index, Partition: int32(n)}
			for _, name := range sourceTopics(sub, app, counts) {
				if n >= counts[name] {
					continue // fewer partitions than its siblings
				}
				tp := record.TopicPartition{Topic: name, Partition: int32(n)}
				if _, ok := l.owner[tp]; ok {
					continue // two nodes read it
				}
				l.inputs[id] = append(l.inputs[id], tp)
				l.owner[tp] = id
			}
		}
		l.topics = append(l.topics, sourceTopics(sub, app, counts)...)
		for _, src := range sub.Sources {
			for _, name := range src.Topic.Names(app, counts) {
				if src.Topic.Start != (topic.Start{}) {
					l.starts[name] = src.Topic.Start
				}
			}
		}
	}
	slices.Sort(l.topics)
	l.topics = slices.Compact(l.topics)
	return l
}

// sourceTopics are the topics that the sources of a sub-topology read.
func sourceTopics(sub *topology.Subtopology, app string, counts topology.Counts) []string {
	var topics []string
	for _, src := range sub.Sources {
		topics = append(topics, src.Topic.Names(app, counts)...)
	}
	return topics
}

// assignSubs describes the sub-topologies to package assign.
func (l *layout) assignSubs() []assign.Sub {
	subs := make([]assign.Sub, len(l.subs))
	for i, s := range l.subs {
		subs[i] = assign.Sub{ID: int32(s.Index), Tasks: int32(s.Tasks(l.app, l.counts))}
		if len(s.Stores) > 0 {
			subs[i].Kind = assign.Stateful
		}
	}
	return subs
}

// assign shares the tasks out among the members that run the same topology as
// this one. Those that run another get nothing: their tasks are different ones,
// and tasks of both can't be mixed. So an application can be replaced by a new
// version while it runs: the new members take over when the last old one that
// could lead the group has gone.
func (l *layout) assign(members []client.Member) (plan map[string][]record.TopicPartition, others []string, err error) {
	var in []assign.Member
	for _, m := range members {
		sub, err := assign.DecodeSubscription(m.UserData)
		if err != nil {
			return nil, nil, fmt.Errorf("member %s: %w", m.ID, err)
		}
		if sub.Topology != l.hash {
			others = append(others, sub.Instance)
			continue
		}
		in = append(in, assign.Member{
			ID:         m.ID,
			Capacity:   sub.Capacity,
			Generation: m.Generation,
			Held:       l.held(m.Owned),
			State:      sub.State,
		})
	}
	plan = make(map[string][]record.TopicPartition)
	for id, tasks := range assign.Tasks(in, l.assignSubs()) {
		for _, t := range tasks {
			plan[id] = append(plan[id], l.inputs[task.ID{Sub: int(t.Sub), Partition: t.Partition}]...)
		}
	}
	return plan, others, nil
}

// held are the tasks of which a member owns every partition.
func (l *layout) held(owned []record.TopicPartition) []assign.Task {
	n := make(map[task.ID]int)
	for _, tp := range owned {
		if id, ok := l.owner[tp]; ok {
			n[id]++
		}
	}
	var out []assign.Task
	for id, n := range n {
		if n == len(l.inputs[id]) {
			out = append(out, assign.Task{Sub: int32(id.Sub), Partition: id.Partition})
		}
	}
	return out
}

// Settings of internal topics. A repartition topic keeps its records until leat
// deletes those that were processed; none may expire before. No changelog
// expires by time either, not even that of windows: the broker would go by its
// own clock, and delete the state of an application that works through last
// year's records. Stores write tombstones for what expires by stream time.
// Timestamps are the records' own, however far they are from the broker's clock,
// and from each other: a broker rolls a segment when a record is segment.ms older
// or newer than its first, which would make thousands of segments of last year's
// records. So segments go by size, and are small, since only whole ones that are
// not being written to are deleted and compacted.
const (
	internalSegment = "52428800"
	anyAge          = "315360000000" // ten years
	anyTime         = "9223372036854775807"
)

// settings are those of an internal topic.
func settings(cleanup string) map[string]string {
	s := map[string]string{
		"cleanup.policy": cleanup, "segment.bytes": internalSegment, "segment.ms": anyAge,
		"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": anyTime,
	}
	if cleanup == "delete" {
		s["retention.ms"] = "-1"
	}
	return s
}

// internalTopics are the topics that the application needs of its own.
func (l *layout) internalTopics(g *topology.Graph, replication int16) []client.NewTopic {
	var out []client.NewTopic
	for _, t := range g.Topics {
		if t.Role != topology.Repartition {
			continue
		}
		name := t.Physical(l.app)
		out = append(out, client.NewTopic{
			Name: name, Partitions: int32(l.counts[name]), Replication: replication,
			Configs: settings("delete"),
		})
	}
	for _, sub := range l.subs {
		for _, s := range sub.Stores {
			if s.Logging != topology.Changelog {
				continue
			}
			out = append(out, client.NewTopic{
				Name: s.ChangelogTopic(l.app), Partitions: int32(sub.Tasks(l.app, l.counts)),
				Replication: replication,
				Configs:     settings("compact"),
			})
		}
	}
	slices.SortFunc(out, func(a, b client.NewTopic) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// external are the topics of the user's that must be there: sources, sinks and
// those of global tables. The topic of dead letters isn't one of them: it is
// named in case there will be some, and most applications never have any.
func external(g *topology.Graph, app string) []string {
	var names []string
	for _, n := range g.Nodes {
		if n.Topic != nil && n.Topic.Role == topology.External && n.Topic.Pattern == nil {
			names = append(names, n.Topic.Physical(app))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// repartition tells whether a topic is one of leat's between sub-topologies.
func (l *layout) repartition(g *topology.Graph) map[string]bool {
	out := make(map[string]bool)
	for _, t := range g.Topics {
		if t.Role == topology.Repartition {
			out[t.Physical(l.app)] = true
		}
	}
	return out
}
