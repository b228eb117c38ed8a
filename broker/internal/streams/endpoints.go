package streams

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
)

// whereabouts tells which endpoint has which partitions of the topics that tasks
// read. Members of a process have one endpoint, and clients keep one entry for it.
func (s *step) whereabouts() []kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpoint {
	list := []kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpoint{}
	active, standby := map[endpoint]assignor.Tasks{}, map[endpoint]assignor.Tasks{}
	var order []endpoint
	for _, m := range s.All() {
		if m.endpoint == nil {
			continue
		}
		at := *m.endpoint
		if active[at] == nil {
			active[at], standby[at] = assignor.Tasks{}, assignor.Tasks{}
			order = append(order, at)
		}
		join(active[at], m.assigned.Active)
		join(standby[at], m.assigned.Standby)
	}
	for _, at := range order {
		e := kmsg.NewStreamsGroupHeartbeatResponsePartitionsByUserEndpoint()
		e.UserEndpoint.Host, e.UserEndpoint.Port = at.host, at.port
		s.partitions(active[at], func(topic string, ps []int32) {
			e.ActivePartitions = append(e.ActivePartitions, kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpointActivePartition{Topic: topic, Partitions: ps})
		})
		s.partitions(standby[at], func(topic string, ps []int32) {
			e.StandbyPartitions = append(e.StandbyPartitions, kmsg.StreamsGroupHeartbeatResponsePartitionsByUserEndpointStandbyPartition{Topic: topic, Partitions: ps})
		})
		list = append(list, e)
	}
	return list
}

// join adds tasks to others.
func join(to, tasks assignor.Tasks) {
	for name, ps := range tasks {
		to[name] = slices.Sorted(slices.Values(append(slices.Clone(to[name]), ps...)))
	}
}

// partitions calls yield with the partitions that tasks read, topic by topic.
func (s *step) partitions(tasks assignor.Tasks, yield func(topic string, ps []int32)) {
	for _, sub := range s.topology.subs {
		if len(tasks[sub.name]) == 0 {
			continue
		}
		for _, name := range sub.inputs() {
			t, _ := s.Env.Topics.Topic(name)
			ps := []int32{}
			// A topic may have fewer partitions than the sub-topology tasks.
			for _, p := range tasks[sub.name] {
				if p < t.Partitions {
					ps = append(ps, p)
				}
			}
			yield(name, ps)
		}
	}
}
