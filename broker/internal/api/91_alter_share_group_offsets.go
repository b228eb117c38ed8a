package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/sharegroup"
	"github.com/leatstream/leat/broker/internal/wire"
)

// AlterShareGroupOffsets, v0: let a share group without members go on elsewhere.
// A group that isn't there is made.
func (s *Server) alterShareGroupOffsets(req *wire.Request, r *kmsg.AlterShareGroupOffsetsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.AlterShareGroupOffsetsResponse)
		code := s.shareAdmin(req, s.mayGroup(req, toRead, r.GroupID), r.GroupID)
		img := s.Catalog.Image()
		codes := make([]int16, len(r.Topics))
		for i, rt := range r.Topics {
			if !s.mayTopic(req, toRead, rt.Topic) {
				codes[i] = topicDenied
			} else if img.Topic(rt.Topic) == nil {
				codes[i] = kerr.UnknownTopicOrPartition.Code
			}
		}
		if code == 0 {
			var err error
			code, err = s.reshape(ctx, r.GroupID, coord.Created, func(shared assignor.Assignment) {
				for i, rt := range r.Topics {
					for _, p := range rt.Partitions {
						if t := img.Topic(rt.Topic); codes[i] == 0 && t.Log(p.Partition) != nil {
							sharegroup.Add(shared, t.ID, p.Partition)
						}
					}
				}
			})
			if err != nil {
				return nil, err
			}
		}
		if code != 0 {
			resp.ErrorCode, resp.ErrorMessage = code, messageOf(code)
			return resp, nil
		}
		for i, rt := range r.Topics {
			out, err := s.alterShareOffsets(ctx, r.GroupID, img.Topic(rt.Topic), codes[i], &rt)
			if err != nil {
				return nil, err
			}
			resp.Topics = append(resp.Topics, out)
		}
		return resp, nil
	})
}

// alterShareOffsets sets the offsets of a topic's partitions, unless there is a
// code why not. The error is ctx's.
func (s *Server) alterShareOffsets(ctx context.Context, group string, t *catalog.Topic, code int16, rt *kmsg.AlterShareGroupOffsetsRequestTopic) (kmsg.AlterShareGroupOffsetsResponseTopic, error) {
	out := kmsg.NewAlterShareGroupOffsetsResponseTopic()
	out.Topic = rt.Topic
	if t != nil {
		out.TopicID = t.ID
	}
	for _, p := range rt.Partitions {
		rp := kmsg.NewAlterShareGroupOffsetsResponseTopicPartition()
		rp.Partition, rp.ErrorCode = p.Partition, code
		switch {
		case code != 0:
		case t.Log(p.Partition) == nil:
			rp.ErrorCode = kerr.UnknownTopicOrPartition.Code
		case p.StartOffset < 0:
			rp.ErrorCode = kerr.InvalidRequest.Code
		default:
			f, err := s.Shares.Reset(share.Key{Group: group, Topic: t.ID, Partition: p.Partition}, p.StartOffset)
			stored, failed, err := awaitCoord(ctx, s, f, err)
			if err != nil {
				return out, err
			}
			if rp.ErrorCode = failed; failed == 0 {
				rp.ErrorCode = stored
			}
		}
		rp.ErrorMessage = messageOf(rp.ErrorCode)
		out.Partitions = append(out.Partitions, rp)
	}
	return out, nil
}
