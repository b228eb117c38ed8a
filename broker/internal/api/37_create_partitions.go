package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// CreatePartitions, v0-3: add partitions to topics.
//
// v2: flexible
func (s *Server) createPartitions(req *wire.Request, r *kmsg.CreatePartitionsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.CreatePartitionsResponse)
	mentions := map[string]int{}
	for _, rt := range r.Topics {
		mentions[rt.Topic]++
	}
	for _, rt := range r.Topics {
		out := kmsg.NewCreatePartitionsResponseTopic()
		out.Topic = rt.Topic
		err := s.checkGrow(rt, mentions[rt.Topic])
		if !s.mayTopic(req, toAlter, rt.Topic) {
			err = batch.Errorf(kerr.TopicAuthorizationFailed, "The topic authorization is failed.")
		}
		if err == nil && !r.ValidateOnly {
			err = s.Catalog.Grow(rt.Topic, rt.Count)
		}
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

func (s *Server) checkGrow(rt kmsg.CreatePartitionsRequestTopic, mentions int) error {
	if mentions > 1 {
		return batch.Errorf(kerr.InvalidRequest, "Duplicate topic name.")
	}
	img := s.Catalog.Image()
	if err := s.Catalog.CheckGrow(img, rt.Topic, rt.Count); err != nil {
		return err
	}
	t := img.Topic(rt.Topic)
	if catalog.Internal(rt.Topic) {
		return batch.Errorf(kerr.InvalidTopicException, "Topic %s is internal: its partitions are fixed.", rt.Topic)
	}
	if rt.Assignment == nil {
		return nil
	}
	if len(rt.Assignment) != int(rt.Count)-len(t.Logs) {
		return batch.Errorf(kerr.InvalidReplicaAssignment, "%d partitions are added, but replicas of %d are assigned.", int(rt.Count)-len(t.Logs), len(rt.Assignment))
	}
	for _, a := range rt.Assignment {
		if len(a.Replicas) != 1 || a.Replicas[0] != NodeID {
			return batch.Errorf(kerr.InvalidReplicaAssignment, "Each partition must have node %d as its only replica.", NodeID)
		}
	}
	return nil
}
