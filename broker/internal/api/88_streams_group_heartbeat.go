package api

import (
	"context"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/acl"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/streams"
	"github.com/leatstream/leat/broker/internal/wire"
)

// StreamsGroupHeartbeat, v0: join a streams group, go on or leave, and learn which
// tasks to have. Internal topics that the group misses are made, if the client may.
func (s *Server) streamsGroupHeartbeat(req *wire.Request, r *kmsg.StreamsGroupHeartbeatRequest) wire.Reply {
	fail := func(code int16) kmsg.Response { return failed(r, code) }
	if r.Topology != nil {
		for _, name := range streams.RequiredTopics(r.Topology) {
			if !s.mayTopic(req, toDescribe, name) {
				return ready(fail(topicDenied))
			}
		}
	}
	h := &streams.Heartbeat{StreamsGroupHeartbeatRequest: r, Client: clientOf(req)}
	answer := s.groupAnswer(req, r.Group, fail, func() (*coord.Answer, error) { return s.Groups.StreamsHeartbeat(h) })
	return await(func(ctx context.Context) (wire.Response, error) {
		body, err := answer.Await(ctx)
		if resp, ok := body.(*kmsg.StreamsGroupHeartbeatResponse); ok && err == nil {
			err = s.makeInternalTopics(ctx, req, r.Group, resp)
		}
		return body, err
	})
}

// makeInternalTopics makes what a streams group misses. Why it can't is added to
// the status. The error is ctx's.
func (s *Server) makeInternalTopics(ctx context.Context, req *wire.Request, group string, resp *kmsg.StreamsGroupHeartbeatResponse) error {
	at := -1
	for i, st := range resp.Status {
		if st.StatusCode == streams.MissingInternalTopics {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	f, err := s.Groups.MissingTopics(group)
	missing, code, err := awaitCoord(ctx, s, f, err)
	if code != 0 || err != nil {
		return err // if it is the coordinator's, the next heartbeat tries again
	}
	var topics []catalog.NewTopic
	var denied, why []string
	anywhere := s.sees(req, toCreate, theCluster, acl.ClusterName)
	for _, m := range missing.What {
		if !anywhere && !s.mayTopic(req, toCreate, m.Name) {
			denied = append(denied, m.Name)
			continue
		}
		topics = append(topics, catalog.NewTopic{Name: m.Name, Partitions: m.Partitions, Configs: m.Configs})
	}
	if len(denied) > 0 {
		why = append(why, "Unauthorized to CREATE on topics "+strings.Join(denied, ", ")+".")
		topics = nil // all or none, as Kafka
	}
	_, errs := s.Catalog.Create(topics)
	for i, err := range errs {
		if err != nil && s.Catalog.Image().Topic(topics[i].Name) == nil {
			s.Log.Error("an internal topic could not be made", "group", group, "topic", topics[i].Name, "err", err)
			why = append(why, topics[i].Name+": "+err.Error())
		}
	}
	if len(why) > 0 {
		resp.Status[at].StatusDetail += "; " + strings.Join(why, "; ")
	}
	return nil
}
