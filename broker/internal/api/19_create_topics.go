package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/settings"
	"github.com/leatstream/leat/broker/internal/wire"
)

// CreateTopics, v2-7: create topics.
//
// Partitions -1 is the broker's default; the replication factor is -1 or 1. A
// manual assignment must name node 1 only.
//
// v4: defaults for partitions and replication factor
// v5: flexible; the configs in the answer
// v7: topic ids in the answer
func (s *Server) createTopics(req *wire.Request, r *kmsg.CreateTopicsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.CreateTopicsResponse)
	names := map[string]int{}
	for _, rt := range r.Topics {
		names[rt.Topic]++
	}
	resp.Topics = make([]kmsg.CreateTopicsResponseTopic, len(r.Topics))
	var create []catalog.NewTopic
	var places []int
	img := s.Catalog.Image()
	for i, rt := range r.Topics {
		out := &resp.Topics[i]
		*out = kmsg.NewCreateTopicsResponseTopic()
		out.Topic = rt.Topic
		n, err := s.newTopic(rt, names[rt.Topic])
		if !s.mayCreate(req, rt.Topic) {
			err = batch.Errorf(kerr.TopicAuthorizationFailed, "Authorization failed.")
		}
		if err == nil && r.ValidateOnly {
			err = s.Catalog.CheckCreate(img, n)
		}
		switch {
		case err != nil:
			out.ErrorCode, out.ErrorMessage = s.explain(err)
		case r.ValidateOnly:
			s.created(req, out, n)
		default:
			create = append(create, n)
			places = append(places, i)
		}
	}
	if len(create) == 0 {
		return resp
	}
	made, errs := s.Catalog.Create(create)
	for i, at := range places {
		out := &resp.Topics[at]
		if errs[i] != nil {
			out.ErrorCode, out.ErrorMessage = s.explain(errs[i])
			continue
		}
		out.TopicID = made[i].ID
		s.created(req, out, create[i])
		s.Log.Info("topic created", "topic", out.Topic, "partitions", create[i].Partitions)
	}
	return resp
}

// newTopic turns one topic of the request into what the catalog takes.
func (s *Server) newTopic(rt kmsg.CreateTopicsRequestTopic, mentions int) (catalog.NewTopic, error) {
	n := catalog.NewTopic{Name: rt.Topic, Partitions: rt.NumPartitions}
	if mentions > 1 {
		return n, batch.Errorf(kerr.InvalidRequest, "Duplicate topic name.")
	}
	if err := catalog.CheckName(rt.Topic); err != nil {
		return n, err
	}
	if catalog.Internal(rt.Topic) && s.Catalog.Image().Topic(rt.Topic) == nil {
		return n, batch.Errorf(kerr.InvalidTopicException, "Topic %s is internal: the broker creates it when it is needed.", rt.Topic)
	}
	if len(rt.ReplicaAssignment) > 0 {
		if err := checkAssignment(rt); err != nil {
			return n, err
		}
		n.Partitions = int32(len(rt.ReplicaAssignment))
	} else if rt.ReplicationFactor != -1 && rt.ReplicationFactor != 1 {
		return n, batch.Errorf(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): this broker is the only one, so the replication factor must be 1 (or -1, the default).", rt.ReplicationFactor)
	} else if n.Partitions == -1 {
		n.Partitions = s.DefaultPartitions
	}
	if len(rt.Configs) > 0 {
		n.Configs = map[string]string{}
	}
	for _, c := range rt.Configs {
		if c.Value == nil {
			return n, batch.Errorf(kerr.InvalidConfig, "Null value not supported for topic configs: %s", c.Name)
		}
		n.Configs[c.Name] = *c.Value
	}
	return n, nil
}

// checkAssignment checks a manual assignment of replicas.
func checkAssignment(rt kmsg.CreateTopicsRequestTopic) error {
	if rt.NumPartitions != -1 || rt.ReplicationFactor != -1 {
		return batch.Errorf(kerr.InvalidRequest, "Replication factor and partitions must be -1 if replicas are assigned.")
	}
	seen := map[int32]bool{}
	for _, a := range rt.ReplicaAssignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != NodeID {
			return batch.Errorf(kerr.InvalidReplicaAssignment, "Partition %d must have node %d as its only replica.", a.Partition, NodeID)
		}
		seen[a.Partition] = true
	}
	for p := range int32(len(rt.ReplicaAssignment)) {
		if !seen[p] {
			return batch.Errorf(kerr.InvalidReplicaAssignment, "Partitions should be a consecutive 0-based integer sequence; %d is missing.", p)
		}
	}
	return nil
}

// created tells of a new topic, as far as the client may know its configs.
func (s *Server) created(req *wire.Request, out *kmsg.CreateTopicsResponseTopic, n catalog.NewTopic) {
	if !s.sees(req, toDescribeConfigs, aTopic, n.Name) {
		out.ConfigErrorCode, out.NumPartitions, out.ReplicationFactor = topicDenied, -1, -1
		return
	}
	out.NumPartitions, out.ReplicationFactor = n.Partitions, 1
	for _, d := range settings.Topics {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value = d.Name, kmsg.StringPtr(catalog.TopicValue(s.Catalog.Settings(), d, n.Configs))
		c.Source = int8(kmsg.ConfigSourceDefaultConfig)
		if _, ok := n.Configs[d.Name]; ok {
			c.Source = int8(kmsg.ConfigSourceDynamicTopicConfig)
		}
		out.Configs = append(out.Configs, c)
	}
}
