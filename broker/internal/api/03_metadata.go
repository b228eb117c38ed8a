package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// Metadata, v0-13: the broker and the topics.
//
// A topic that is asked for and missing is created, if both the request and
// the broker's configuration allow it.
//
// v0: an empty list is all topics; from v1 null is, and an empty list is none
// v4: the request says whether topics may be created
// v7: leader epochs
// v8: authorized operations; those on the cluster up to v10
// v9: flexible
// v10: topic ids
// v12: topics can be asked for by id
// v13: an error code for the whole
func (s *Server) metadata(req *wire.Request, r *kmsg.MetadataRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.MetadataResponse)
	node := s.node(req)
	b := kmsg.NewMetadataResponseBroker()
	b.NodeID, b.Host, b.Port = NodeID, node.Host, node.Port
	resp.Brokers = append(resp.Brokers, b)
	resp.ClusterID = kmsg.StringPtr(s.Catalog.ClusterID())
	resp.ControllerID = NodeID

	if r.IncludeClusterAuthorizedOperations {
		resp.AuthorizedOperations = s.clusterOperations(req)
	}
	defer func() {
		for i := range resp.Topics {
			if t := &resp.Topics[i]; r.IncludeTopicAuthorizedOperations && t.ErrorCode == 0 {
				t.AuthorizedOperations = s.operations(req, aTopic, *t.Topic)
			}
		}
	}()

	if r.Topics == nil || r.Version == 0 && len(r.Topics) == 0 {
		for _, t := range s.Catalog.Image().Topics() {
			if s.sees(req, toDescribe, aTopic, t.Name) {
				resp.Topics = append(resp.Topics, describeTopic(t))
			}
		}
		return resp
	}
	create := s.AutoCreate && (r.Version < 4 || r.AllowAutoTopicCreation)
	for _, rt := range r.Topics {
		resp.Topics = append(resp.Topics, s.metadataOf(req, rt, create))
	}
	return resp
}

// metadataOf answers for one topic of the request, creating it if allowed.
func (s *Server) metadataOf(req *wire.Request, rt kmsg.MetadataRequestTopic, create bool) kmsg.MetadataResponseTopic {
	img := s.Catalog.Image()
	out := kmsg.NewMetadataResponseTopic()
	if rt.Topic == nil || rt.TopicID != [16]byte{} { // Java's admin client sends an empty name with an id
		if t := img.TopicByID(rt.TopicID); t != nil {
			if s.mayTopic(req, toDescribe, t.Name) {
				return describeTopic(t)
			}
			out.TopicID, out.ErrorCode = rt.TopicID, topicDenied
			return out
		}
		out.TopicID, out.ErrorCode = rt.TopicID, kerr.UnknownTopicID.Code
		return out
	}
	out.Topic = rt.Topic
	if !s.mayTopic(req, toDescribe, *rt.Topic) {
		out.ErrorCode = topicDenied
		return out
	}
	if t := img.Topic(*rt.Topic); t != nil {
		return describeTopic(t)
	}
	out.ErrorCode = kerr.UnknownTopicOrPartition.Code
	if err := catalog.CheckName(*rt.Topic); err != nil {
		out.ErrorCode = batch.CodeOf(err)
		return out
	}
	if !create {
		return out
	}
	if !s.mayCreate(req, *rt.Topic) {
		out.ErrorCode = topicDenied
		return out
	}
	t, err := s.autoCreate(*rt.Topic)
	if err != nil {
		out.ErrorCode, _ = s.explain(err)
		return out
	}
	return describeTopic(t)
}

// autoCreate creates a topic that someone asked for. Another connection may
// have been faster.
func (s *Server) autoCreate(name string) (*catalog.Topic, error) {
	if name == catalog.ConsumerOffsets {
		if err := s.Groups.Ensure(); err != nil {
			return nil, err
		}
	} else if !catalog.Internal(name) {
		made, errs := s.Catalog.Create([]catalog.NewTopic{{Name: name, Partitions: s.DefaultPartitions}})
		if errs[0] == nil {
			s.Log.Info("topic created on demand", "topic", name, "partitions", s.DefaultPartitions)
			return made[0], nil
		}
		if batch.CodeOf(errs[0]) != kerr.TopicAlreadyExists.Code {
			return nil, errs[0]
		}
	}
	if t := s.Catalog.Image().Topic(name); t != nil {
		return t, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

func describeTopic(t *catalog.Topic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = kmsg.StringPtr(t.Name), t.ID, t.Internal()
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, 0, len(t.Logs))
	for i, log := range t.Logs {
		p := kmsg.NewMetadataResponseTopicPartition()
		p.Partition, p.Leader, p.LeaderEpoch = int32(i), NodeID, log.Epoch()
		p.Replicas, p.ISR, p.OfflineReplicas = onlyReplica, onlyReplica, []int32{}
		out.Partitions = append(out.Partitions, p)
	}
	return out
}

// onlyReplica are the replicas of every partition.
var onlyReplica = []int32{NodeID}
