package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// OffsetDelete, v0: delete offsets of a group, but not of topics that its
// members consume.
func (s *Server) offsetDelete(req *wire.Request, r *kmsg.OffsetDeleteRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.OffsetDeleteResponse)
	if r.Group == "" {
		resp.ErrorCode = kerr.InvalidGroupID.Code
		return ready(resp)
	}
	if !s.mayGroup(req, toDelete, r.Group) {
		resp.ErrorCode = groupDenied
		return ready(resp)
	}
	var ps []group.Partition
	var places []place
	img := s.Catalog.Image()
	for i, rt := range r.Topics {
		out := kmsg.NewOffsetDeleteResponseTopic()
		out.Topic = rt.Topic
		for j, rp := range rt.Partitions {
			p := kmsg.NewOffsetDeleteResponseTopicPartition()
			p.Partition = rp.Partition
			if !s.mayTopic(req, toRead, rt.Topic) {
				p.ErrorCode = topicDenied
			} else if img.Topic(rt.Topic).Log(rp.Partition) == nil {
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			} else {
				places = append(places, place{i, j})
				ps = append(ps, group.Partition{Topic: rt.Topic, Partition: rp.Partition})
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	f, err := s.Groups.DeleteOffsets(r.Group, ps)
	if err != nil {
		resp.ErrorCode, resp.Topics = s.coordCode(err), nil
		return ready(resp)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		done, err := f.Await(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			done.Code = s.coordCode(err)
		}
		if done.Code != 0 {
			resp.ErrorCode, resp.Topics = done.Code, nil
			return resp, nil
		}
		for i, at := range places {
			resp.Topics[at.topic].Partitions[at.partition].ErrorCode = done.Codes[i]
		}
		return resp, nil
	})
}
