package api

import (
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/wire"
)

// metadataTopic is what Kafka's controllers keep their metadata in. Here it is
// a file, whose quorum is told as one voter.
const metadataTopic = "__cluster_metadata"

// DescribeQuorum, v0-2: who votes on the cluster's metadata.
//
// v1: times of the last fetch and of being caught up
// v2: directory ids, addresses of the nodes, messages
func (s *Server) describeQuorum(req *wire.Request, r *kmsg.DescribeQuorumRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeQuorumResponse)
	none := ""
	resp.ErrorMessage = &none
	if !s.mayCluster(req, toDescribe) {
		resp.ErrorCode = clusterDenied
		return resp
	}
	found := false
	for _, rt := range r.Topics {
		out := kmsg.NewDescribeQuorumResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewDescribeQuorumResponseTopicPartition()
			p.Partition, p.ErrorMessage = rp.Partition, &none
			if rt.Topic != metadataTopic || rp.Partition != 0 {
				why := "This server does not host this topic-partition."
				p.ErrorCode, p.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &why
			} else {
				found = true
				s.soleVoter(&p)
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	if found && r.Version >= 2 {
		resp.Nodes = append(resp.Nodes, s.quorumNode(req))
	}
	return resp
}

func (s *Server) soleVoter(p *kmsg.DescribeQuorumResponseTopicPartition) {
	p.LeaderID, p.LeaderEpoch, p.HighWatermark = NodeID, 1, 1
	v := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
	v.ReplicaID, v.LogEndOffset = NodeID, 1
	v.LastFetchTimestamp, v.LastCaughtUpTimestamp = s.nowMillis(), s.nowMillis()
	p.CurrentVoters = append(p.CurrentVoters, v)
}

// quorumNode is this node with its addresses; clients of Dial see only theirs.
func (s *Server) quorumNode(req *wire.Request) kmsg.DescribeQuorumResponseNode {
	n := kmsg.NewDescribeQuorumResponseNode()
	n.NodeID = NodeID
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		if name == "" && req.Listener != "" {
			continue
		}
		l := kmsg.NewDescribeQuorumResponseNodeListener()
		l.Name, l.Host, l.Port = name, s.Nodes[name].Host, uint16(s.Nodes[name].Port)
		n.Listeners = append(n.Listeners, l)
	}
	return n
}
