package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/consumer"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ConsumerGroupHeartbeat, v0-1: join a consumer group, go on or leave, and learn
// which partitions to have.
//
// v1: subscription by regular expression; the client makes the member id
func (s *Server) consumerGroupHeartbeat(req *wire.Request, r *kmsg.ConsumerGroupHeartbeatRequest) wire.Reply {
	fail := func(code int16) kmsg.Response { return failed(r, code) }
	for _, name := range r.SubscribedTopicNames {
		if !s.mayTopic(req, toDescribe, name) {
			return ready(fail(topicDenied))
		}
	}
	h := &consumer.Heartbeat{
		ConsumerGroupHeartbeatRequest: r, Client: clientOf(req),
		Visible: func(topic string) bool { return s.sees(req, toDescribe, aTopic, topic) },
	}
	return s.groupAnswer(req, r.Group, fail, func() (*coord.Answer, error) { return s.Groups.ConsumerHeartbeat(h) })
}
