package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ConsumerGroupDescribe, v0-1: epochs, members and assignments of consumer groups.
//
// v1: whether a member speaks the classic protocol
func (s *Server) consumerGroupDescribe(req *wire.Request, r *kmsg.ConsumerGroupDescribeRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		for _, id := range r.Groups {
			d, err := s.describeConsumerGroup(ctx, req, id)
			if err != nil {
				return nil, err
			}
			if r.IncludeAuthorizedOperations && d.ErrorCode == 0 {
				d.AuthorizedOperations = s.operations(req, aGroup, id)
			}
			resp.Groups = append(resp.Groups, d)
		}
		return resp, nil
	})
}

// describeConsumerGroup describes one group. The error is ctx's.
func (s *Server) describeConsumerGroup(ctx context.Context, req *wire.Request, id string) (kmsg.ConsumerGroupDescribeResponseGroup, error) {
	blank := kmsg.NewConsumerGroupDescribeResponseGroup()
	blank.Group = id
	switch {
	case id == "":
		blank.ErrorCode = kerr.InvalidGroupID.Code
		return blank, nil
	case !s.mayGroup(req, toDescribe, id):
		blank.ErrorCode = groupDenied
		return blank, nil
	}
	d := kmsg.NewConsumerGroupDescribeResponseGroup()
	f, err := s.Groups.DescribeConsumer(id, &d)
	var done coord.Described
	if err == nil {
		done, err = f.Await(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return blank, context.Cause(ctx)
	case err != nil:
		blank.ErrorCode = s.coordCode(err)
		return blank, nil
	case done != coord.Complete:
		blank.ErrorCode, blank.ErrorMessage = kerr.GroupIDNotFound.Code, noSuchGroup(id, done, "consumer")
		return blank, nil
	}
	return s.hideTopics(req, d), nil
}

// noSuchGroup says why a group can't be described as one of a kind.
func noSuchGroup(id string, d coord.Described, kind string) *string {
	if d == coord.OtherKind {
		return kmsg.StringPtr("Group " + id + " is not a " + kind + " group.")
	}
	return kmsg.StringPtr("Group " + id + " not found.")
}

// hideTopics refuses the description of a group that consumes topics which the
// client may not know of.
func (s *Server) hideTopics(req *wire.Request, d kmsg.ConsumerGroupDescribeResponseGroup) kmsg.ConsumerGroupDescribeResponseGroup {
	hidden := func(t kmsg.AssignmentTopicPartition) bool { return !s.sees(req, toDescribe, aTopic, t.Topic) }
	for _, m := range d.Members {
		topics := slices.Concat(m.Assignment.TopicPartitions, m.TargetAssignment.TopicPartitions)
		unnamed := func(name string) bool { return !s.sees(req, toDescribe, aTopic, name) }
		if !slices.ContainsFunc(topics, hidden) && !slices.ContainsFunc(m.SubscribedTopics, unnamed) {
			continue
		}
		blank := kmsg.NewConsumerGroupDescribeResponseGroup()
		blank.Group, blank.ErrorCode = d.Group, topicDenied
		blank.ErrorMessage = kmsg.StringPtr("The group has described topic(s) that the client is not authorized to describe.")
		return blank
	}
	return d
}
