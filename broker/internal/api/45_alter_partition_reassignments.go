package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// AlterPartitionReassignments, v0-1: partitions can stay where they are, and
// nowhere else.
//
// v1: whether the replication factor may change
func (s *Server) alterPartitionReassignments(req *wire.Request, r *kmsg.AlterPartitionAssignmentsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	resp.AllowReplicationFactorChange = r.AllowReplicationFactorChange
	if !s.mayCluster(req, toAlter) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	img := s.Catalog.Image()
	for _, rt := range r.Topics {
		out := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			p.Partition = rp.Partition
			err := checkReassignment(img.Topic(rt.Topic), rt.Topic, rp.Partition, rp.Replicas)
			p.ErrorCode, p.ErrorMessage = s.explain(err)
			if err == kerr.NoReassignmentInProgress {
				p.ErrorMessage = nil
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// checkReassignment says why a partition can't be moved to the replicas. No
// replicas cancel a move, of which there is none.
func checkReassignment(t *catalog.Topic, name string, p int32, replicas []int32) error {
	const bad = "The manual partition assignment includes "
	switch {
	case t == nil:
		return batch.Errorf(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", name)
	case t.Log(p) == nil:
		return batch.Errorf(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", name, p)
	case replicas == nil:
		return kerr.NoReassignmentInProgress
	case len(replicas) == 0:
		return batch.Errorf(kerr.InvalidReplicaAssignment, bad+"an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, id := range sorted {
		switch {
		case id < 0:
			return batch.Errorf(kerr.InvalidReplicaAssignment, bad+"an invalid broker id %d.", id)
		case i > 0 && id == sorted[i-1]:
			return batch.Errorf(kerr.InvalidReplicaAssignment, bad+"the broker %d more than once.", id)
		case id != NodeID:
			return batch.Errorf(kerr.InvalidReplicaAssignment, bad+"broker %d, but no such broker is registered.", id)
		}
	}
	return nil
}
