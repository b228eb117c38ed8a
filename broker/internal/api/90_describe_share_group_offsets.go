package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeShareGroupOffsets, v0-1: where share groups go on. Of partitions that a
// group has no state of, the offset is -1, which is no error.
//
// v1: lag
func (s *Server) describeShareGroupOffsets(req *wire.Request, r *kmsg.DescribeShareGroupOffsetsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.DescribeShareGroupOffsetsResponse)
		for i := range r.Groups {
			rg := &r.Groups[i]
			g := kmsg.NewDescribeShareGroupOffsetsResponseGroup()
			g.GroupID = rg.GroupID
			var err error
			switch {
			case !s.mayGroup(req, toDescribe, rg.GroupID):
				g.ErrorCode, g.ErrorMessage = groupDenied, messageOf(groupDenied)
			case rg.Topics == nil:
				err = s.allShareOffsets(ctx, req, &g)
			default:
				err = s.someShareOffsets(ctx, req, &g, rg.Topics)
			}
			if err != nil {
				return nil, err
			}
			resp.Groups = append(resp.Groups, g)
		}
		return resp, nil
	})
}

// allShareOffsets tells of all partitions that a group has a state of. The error
// is ctx's.
func (s *Server) allShareOffsets(ctx context.Context, req *wire.Request, g *kmsg.DescribeShareGroupOffsetsResponseGroup) error {
	shared, code, err := s.sharedBy(ctx, g.GroupID)
	if err != nil {
		return err
	}
	if code != 0 {
		g.ErrorCode, g.ErrorMessage = code, messageOf(code)
		return nil
	}
	img := s.Catalog.Image()
	for _, id := range shared.IDs() {
		t := img.TopicByID(id)
		if t == nil || !s.sees(req, toDescribe, aTopic, t.Name) {
			continue
		}
		out, err := s.shareOffsets(ctx, g.GroupID, t, shared[id])
		if err != nil {
			return err
		}
		g.Topics = append(g.Topics, out)
	}
	return nil
}

// someShareOffsets tells of the partitions asked for. The error is ctx's.
func (s *Server) someShareOffsets(ctx context.Context, req *wire.Request, g *kmsg.DescribeShareGroupOffsetsResponseGroup, topics []kmsg.DescribeShareGroupOffsetsRequestGroupTopic) error {
	img := s.Catalog.Image()
	for _, rt := range topics {
		if t := img.Topic(rt.Topic); t != nil && s.mayTopic(req, toDescribe, rt.Topic) {
			out, err := s.shareOffsets(ctx, g.GroupID, t, rt.Partitions)
			if err != nil {
				return err
			}
			g.Topics = append(g.Topics, out)
			continue
		}
		var code int16
		if !s.mayTopic(req, toDescribe, rt.Topic) {
			code = topicDenied
		}
		out := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
		out.Topic = rt.Topic
		for _, p := range rt.Partitions {
			rp := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
			rp.Partition, rp.StartOffset, rp.ErrorCode, rp.ErrorMessage = p, -1, code, messageOf(code)
			out.Partitions = append(out.Partitions, rp)
		}
		g.Topics = append(g.Topics, out)
	}
	return nil
}

// shareOffsets tells of some partitions of a topic. The error is ctx's.
func (s *Server) shareOffsets(ctx context.Context, group string, t *catalog.Topic, ps []int32) (kmsg.DescribeShareGroupOffsetsResponseGroupTopic, error) {
	out := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopic()
	out.Topic, out.TopicID = t.Name, t.ID
	for _, p := range ps {
		rp := kmsg.NewDescribeShareGroupOffsetsResponseGroupTopicPartition()
		rp.Partition, rp.StartOffset = p, -1
		if log := t.Log(p); log != nil {
			sum, code, err := s.shareSummary(ctx, group, t, p)
			if err != nil {
				return out, err
			}
			rp.StartOffset, rp.LeaderEpoch, rp.ErrorCode, rp.ErrorMessage = sum.Start, sum.LeaderEpoch, code, messageOf(code)
			if code == 0 && sum.Start >= 0 {
				rp.Lag = log.Bounds().HighWatermark - sum.Start - sum.Done
			}
		}
		out.Partitions = append(out.Partitions, rp)
	}
	return out, nil
}
