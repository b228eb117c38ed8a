package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DeleteTopics, v1-6: delete topics, their records, and the offsets that groups
// have committed for them.
//
// v4: flexible
// v5: error messages
// v6: topic ids
func (s *Server) deleteTopics(req *wire.Request, r *kmsg.DeleteTopicsRequest) wire.Reply {
	topics := r.Topics
	if r.Version < 6 {
		for _, name := range r.TopicNames {
			topics = append(topics, kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr(name)})
		}
	}
	resp := r.ResponseKind().(*kmsg.DeleteTopicsResponse)
	var forgetting []*coord.Done
	for _, rt := range topics {
		out := s.deleteTopic(req, rt, r.Version)
		if out.ErrorCode == 0 {
			forgetting = append(forgetting, s.Groups.DropTopic(*out.Topic)...)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		for _, f := range forgetting {
			if _, err := f.Await(ctx); err != nil && ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
		return resp, nil
	})
}

func (s *Server) deleteTopic(req *wire.Request, rt kmsg.DeleteTopicsRequestTopic, version int16) kmsg.DeleteTopicsResponseTopic {
	out := kmsg.NewDeleteTopicsResponseTopic()
	out.Topic, out.TopicID = rt.Topic, rt.TopicID
	if !s.Catalog.Settings().Bool("delete.topic.enable") {
		out.ErrorCode = kerr.TopicDeletionDisabled.Code
		if version < 3 {
			out.ErrorCode = kerr.InvalidRequest.Code
		}
		return out
	}
	img := s.Catalog.Image()
	if rt.Topic == nil {
		t := img.TopicByID(rt.TopicID)
		if t == nil {
			out.ErrorCode, out.ErrorMessage = s.explain(batch.Errorf(kerr.UnknownTopicID, "There is no topic with this id."))
			return out
		}
		if !s.sees(req, toDescribe, aTopic, t.Name) {
			s.audit(req, toDescribe, aTopic, t.Name)
			out.ErrorCode = topicDenied // without its name
			return out
		}
		out.Topic = kmsg.StringPtr(t.Name)
	}
	if !s.mayTopic(req, toDelete, *out.Topic) {
		out.ErrorCode = topicDenied
		return out
	}
	if t := img.Topic(*out.Topic); t != nil && t.Internal() {
		out.ErrorCode, out.ErrorMessage = s.explain(batch.Errorf(kerr.InvalidRequest, "Topic %s is internal: the broker needs it.", t.Name))
		return out
	}
	t, err := s.Catalog.Delete(*out.Topic)
	if err != nil {
		out.ErrorCode, out.ErrorMessage = s.explain(err)
		return out
	}
	out.TopicID = t.ID
	s.Log.Info("topic deleted", "topic", t.Name)
	return out
}
