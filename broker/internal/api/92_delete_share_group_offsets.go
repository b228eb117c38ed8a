package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DeleteShareGroupOffsets, v0: forget what a share group without members knows of
// topics. It begins there anew.
func (s *Server) deleteShareGroupOffsets(req *wire.Request, r *kmsg.DeleteShareGroupOffsetsRequest) wire.Reply {
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.DeleteShareGroupOffsetsResponse)
		code := s.shareAdmin(req, s.mayGroup(req, toDelete, r.GroupID), r.GroupID)
		img := s.Catalog.Image()
		gone := map[catalog.ID]bool{}
		unknown := map[catalog.ID]bool{} // of which the group has no state
		for _, rt := range r.Topics {
			out := kmsg.NewDeleteShareGroupOffsetsResponseTopic()
			out.Topic = rt.Topic
			if !s.mayTopic(req, toRead, rt.Topic) {
				out.ErrorCode = topicDenied
			} else if t := img.Topic(rt.Topic); t == nil {
				out.ErrorCode = kerr.UnknownTopicOrPartition.Code
			} else {
				out.TopicID = t.ID
				gone[t.ID] = true
			}
			out.ErrorMessage = messageOf(out.ErrorCode)
			resp.Topics = append(resp.Topics, out)
		}
		var err error
		if code == 0 {
			code, err = s.reshape(ctx, r.GroupID, coord.NotFound, func(shared assignor.Assignment) {
				for id := range gone {
					unknown[id] = shared[id] == nil
					delete(shared, id)
				}
			})
		}
		if code == 0 && err == nil {
			code, err = s.deleteShares(ctx, func(k share.Key) bool { return k.Group == r.GroupID && gone[k.Topic] })
		}
		if err != nil {
			return nil, err
		}
		for i := range resp.Topics {
			if t := &resp.Topics[i]; unknown[t.TopicID] {
				t.TopicID, t.ErrorCode = catalog.ID{}, kerr.UnknownTopicOrPartition.Code
				t.ErrorMessage = kmsg.StringPtr("There is no offset information to delete.")
			}
		}
		if code != 0 {
			resp.ErrorCode, resp.ErrorMessage, resp.Topics = code, messageOf(code), nil
		}
		return resp, nil
	})
}

// deleteShares forgets share partitions. The error is ctx's.
func (s *Server) deleteShares(ctx context.Context, which func(share.Key) bool) (int16, error) {
	for _, f := range s.Shares.Delete(which) {
		done, code, err := awaitCoord(ctx, s, f, nil)
		if code == 0 {
			code = done
		}
		if code != 0 || err != nil {
			return code, err
		}
	}
	return 0, nil
}
