package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ListOffsets, v1-11: find offsets by time, or by place.
//
// v2: isolation level, throttle time
// v4: leader epochs
// v6: flexible
// v7: -3, the record with the largest timestamp
// v8: -4, the first local record: here the first one
// v9: -5, the last tiered record: here none
// v10: timeout
// v11: -6, the first record waiting to be tiered: here none
func (s *Server) listOffsets(req *wire.Request, r *kmsg.ListOffsetsRequest) kmsg.Response {
	resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
	img := s.Catalog.Image()
	for _, rt := range r.Topics {
		t := img.Topic(rt.Topic)
		out := kmsg.NewListOffsetsResponseTopic()
		out.Topic = rt.Topic
		for _, rp := range rt.Partitions {
			p := kmsg.NewListOffsetsResponseTopicPartition()
			p.Partition, p.Offset, p.Timestamp, p.LeaderEpoch = rp.Partition, -1, -1, -1
			if !s.mayTopic(req, toDescribe, rt.Topic) {
				p.ErrorCode = topicDenied
			} else if log := t.Log(rp.Partition); log == nil {
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			} else if p.ErrorCode = checkLeaderEpoch(log, rp.CurrentLeaderEpoch); p.ErrorCode == 0 {
				s.listOffset(log, rt.Topic, r.IsolationLevel, rp.Timestamp, &p)
			}
			out.Partitions = append(out.Partitions, p)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}

// The times that stand for places.
const (
	latestOffset        = -1
	earliestOffset      = -2
	maxTimestampOffset  = -3
	earliestLocalOffset = -4
	lastTieredOffset    = -5
	pendingUploadOffset = -6
)

const readCommitted = 1

func (s *Server) listOffset(log *partition.Log, topic string, isolation int8, ts int64, p *kmsg.ListOffsetsResponseTopicPartition) {
	b := log.Bounds()
	var found bool
	var err error
	switch {
	case ts == latestOffset && isolation == readCommitted:
		p.Offset, found = b.LastStable, true
	case ts == latestOffset:
		p.Offset, found = b.HighWatermark, true
	case ts == earliestOffset || ts == earliestLocalOffset:
		p.Offset, found = b.LogStart, true
	case ts == maxTimestampOffset:
		p.Offset, p.Timestamp, found, err = log.MaxTimestamp()
	case ts == lastTieredOffset || ts == pendingUploadOffset:
	case ts < 0:
		p.ErrorCode = kerr.UnsupportedVersion.Code
	default:
		p.Offset, p.Timestamp, found, err = log.OffsetForTime(ts)
	}
	if err != nil {
		p.ErrorCode = s.logCode(err, topic, p.Partition)
	}
	if byTime := ts >= 0 || ts == maxTimestampOffset; byTime && isolation == readCommitted && p.Offset >= b.LastStable {
		found = false // its transaction is open, or another before it
	}
	if err != nil || !found {
		p.Offset, p.Timestamp = -1, -1
		return
	}
	p.LeaderEpoch = log.Epoch()
}
