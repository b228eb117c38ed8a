package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/wire"
)

// DescribeTopicPartitions, v0: the partitions of topics, in pages. Topics come
// by name, the cursor is the first partition of the next page; no topics are
// all.
func (s *Server) describeTopicPartitions(req *wire.Request, r *kmsg.DescribeTopicPartitionsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	img := s.Catalog.Image()
	var names []string
	for _, rt := range r.Topics {
		names = append(names, rt.Topic)
	}
	if len(r.Topics) == 0 {
		for _, t := range img.Topics() {
			if s.sees(req, toDescribe, aTopic, t.Name) {
				names = append(names, t.Name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	left, from := min(int(r.ResponsePartitionLimit), int(s.Catalog.Settings().Int("max.request.partition.size.limit"))), int32(0)
	if r.Cursor != nil {
		from = max(0, r.Cursor.Partition)
		names = slices.DeleteFunc(names, func(n string) bool { return n < r.Cursor.Topic })
		if len(names) > 0 && names[0] != r.Cursor.Topic {
			from = 0 // its topic is gone
		}
	}
	for _, name := range names {
		t := img.Topic(name)
		if !s.mayTopic(req, toDescribe, name) {
			out := undescribed(name)
			out.ErrorCode = topicDenied
			resp.Topics = append(resp.Topics, out)
			continue
		}
		if t == nil {
			resp.Topics = append(resp.Topics, undescribed(name))
			continue
		}
		if left <= 0 {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: from}
			return resp
		}
		out, next := describePartitions(t, from, left)
		out.AuthorizedOperations = s.operations(req, aTopic, name)
		resp.Topics = append(resp.Topics, out)
		if next < int32(len(t.Logs)) {
			resp.NextCursor = &kmsg.DescribeTopicPartitionsResponseNextCursor{Topic: name, Partition: next}
			return resp
		}
		left -= len(out.Partitions)
		from = 0
	}
	return resp
}

func undescribed(name string) kmsg.DescribeTopicPartitionsResponseTopic {
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.ErrorCode = kmsg.StringPtr(name), kerr.UnknownTopicOrPartition.Code
	if err := catalog.CheckName(name); err != nil {
		out.ErrorCode = batch.CodeOf(err)
	}
	return out
}

// describePartitions describes up to most partitions of a topic, from one on,
// and returns the one to go on with.
func describePartitions(t *catalog.Topic, from int32, most int) (kmsg.DescribeTopicPartitionsResponseTopic, int32) {
	out := kmsg.NewDescribeTopicPartitionsResponseTopic()
	out.Topic, out.TopicID, out.IsInternal = kmsg.StringPtr(t.Name), t.ID, t.Internal()
	next := from
	for ; next < int32(len(t.Logs)) && len(out.Partitions) < most; next++ {
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition, p.LeaderID, p.LeaderEpoch = next, NodeID, t.Logs[next].Epoch()
		p.Replicas, p.ISR = onlyReplica, onlyReplica
		p.EligibleLeaderReplicas, p.LastKnownELR, p.OfflineReplicas = []int32{}, []int32{}, []int32{}
		out.Partitions = append(out.Partitions, p)
	}
	return out, next
}
