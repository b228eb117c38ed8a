package api

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/quota"
	"github.com/leatstream/leat/broker/internal/share"
	"github.com/leatstream/leat/broker/internal/wire"
)

// ShareFetch, v1-2: acquire records of share partitions, and acknowledge those
// that were acquired before.
//
// The partitions are those of the member's share session, to which the request
// adds and from which it removes some. A session ends by the epoch -1 and with
// its connection; what its member has is then delivered to others. A request that
// renews locks fetches nothing, lest the fetch take as long as the locks last.
//
// v2: acquire mode, renewals
func (s *Server) shareFetch(req *wire.Request, r *kmsg.ShareFetchRequest) wire.Reply {
	resp := r.ResponseKind().(*kmsg.ShareFetchResponse)
	fail := func(code int16, why string) wire.Reply {
		resp.ErrorCode = code
		if why != "" {
			resp.ErrorMessage = &why
		}
		return ready(resp)
	}
	k, code, why := s.shareMember(req, r.GroupID, r.MemberID)
	if code != 0 {
		return fail(code, why)
	}
	if mode := share.Mode(r.ShareAcquireMode); mode != share.WholeBatches && mode != share.RecordLimit {
		return fail(kerr.InvalidRequest.Code, "There is no such acquire mode.")
	}
	if r.IsRenewAck && (r.MaxBytes != 0 || r.MinBytes != 0 || r.MaxRecords != 0 || r.MaxWaitMillis != 0) {
		return fail(kerr.InvalidRequest.Code, "maxBytes, minBytes, maxRecords and maxWaitMs must be 0 if isRenewAck is true.")
	}
	list := fetchAcks(r)
	if r.ShareSessionEpoch == share.FirstEpoch && slices.ContainsFunc(list, func(a acks) bool { return len(a.batches) > 0 }) {
		return fail(kerr.InvalidRequest.Code, "A share session does not begin with acknowledgements.")
	}
	todo, err := s.shareSession(k, r)
	if err != nil {
		// Members without a session would come back at once.
		return s.refused(r, err, fail(sessionCode(err), ""))
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		// The context is the connection's: it ends with that.
		if todo.Epoch == share.FirstEpoch && todo.Session != nil {
			s.shareSessions.Bind(k, todo.Session, context.AfterFunc(ctx, func() {
				s.endShareSession(k, s.shareSessions.CloseIf(k, todo.Session))
			}))
		}
		config := s.Catalog.GroupConfig(k.Group)
		resp.AcquisitionLockTimeoutMillis = int32(config.ShareRecordLock.Milliseconds())
		// What is said of records comes before the fetch: it makes room for others.
		list = slices.DeleteFunc(list, func(a acks) bool { return len(a.batches) == 0 })
		if err := s.acknowledge(ctx, req, k, list, renewals{r.Version >= 2, r.IsRenewAck}); err != nil {
			return nil, err
		}
		f := &shareFetched{
			s: s, req: req, group: k.Group, member: k.Member, mode: share.Mode(r.ShareAcquireMode),
			records: int(r.MaxRecords), batchSize: int(r.BatchSize), minBytes: int(r.MinBytes),
			maxBytes: s.fetchBytes(req, r.MaxBytes), committed: config.ShareReadCommitted,
		}
		if todo.Session != nil && !r.IsRenewAck {
			f.plan(todo)
			if err := f.wait(ctx, r.MaxWaitMillis); err != nil {
				return nil, err
			}
			if err := f.acquire(ctx); err != nil {
				return nil, err
			}
		}
		// Its last acknowledgements still count; only what they leave is given back.
		if todo.Session == nil {
			s.endShareSession(k, s.shareSessions.Close(k))
		}
		size := f.fill(resp, list, todo.Epoch == share.FirstEpoch)
		return muting{resp, s.charge(req, quota.FetchRate, float64(size))}.tell(), nil
	})
}

// shareSession takes a ShareFetch request into its session.
func (s *Server) shareSession(k share.SessionKey, r *kmsg.ShareFetchRequest) (share.Fetching, error) {
	var parts, forget []share.TopicPartition
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			parts = append(parts, share.TopicPartition{Topic: t.TopicID, Partition: p.Partition})
		}
	}
	for _, t := range r.ForgottenTopicsData {
		for _, p := range t.Partitions {
			forget = append(forget, share.TopicPartition{Topic: t.TopicID, Partition: p})
		}
	}
	if r.ShareSessionEpoch == share.FirstEpoch {
		return s.shareSessions.Open(k, parts, int(s.Catalog.Settings().Int("group.share.max.share.sessions")))
	}
	return s.shareSessions.Continue(k, r.ShareSessionEpoch, parts, forget)
}

// refused lets a member wait for as long as a fetch would have if there are too
// many sessions.
func (s *Server) refused(r *kmsg.ShareFetchRequest, err error, reply wire.Reply) wire.Reply {
	if sessionCode(err) != kerr.ShareSessionLimitReached.Code || r.MaxWaitMillis <= 0 {
		return reply
	}
	return s.delayed(millis(r.MaxWaitMillis), reply.(wire.Ready).Response)
}

// fetchAcks are the acknowledgements of a ShareFetch request.
func fetchAcks(r *kmsg.ShareFetchRequest) (list []acks) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			list = append(list, acks{
				TopicPartition: share.TopicPartition{Topic: t.TopicID, Partition: p.Partition},
				batches: ackBatches(p.AcknowledgementBatches, func(b *kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch) (int64, int64, []int8) {
					return b.FirstOffset, b.LastOffset, b.AcknowledgeTypes
				}),
			})
		}
	}
	return list
}

// fill makes the response of what was found and acknowledged. The first response
// of a session has all partitions, others those with something to tell. It
// returns the bytes of records.
func (f *shareFetched) fill(resp *kmsg.ShareFetchResponse, list []acks, all bool) (size int) {
	topics, parts := map[catalog.ID]int{}, map[share.TopicPartition]int{} // where they are in resp
	place := func(tp share.TopicPartition) *kmsg.ShareFetchResponseTopicPartition {
		i, ok := topics[tp.Topic]
		if !ok {
			i = len(resp.Topics)
			topics[tp.Topic] = i
			resp.Topics = append(resp.Topics, kmsg.ShareFetchResponseTopic{TopicID: tp.Topic})
		}
		t := &resp.Topics[i]
		j, ok := parts[tp]
		if !ok {
			j = len(t.Partitions)
			parts[tp] = j
			t.Partitions = append(t.Partitions, kmsg.ShareFetchResponseTopicPartition{Partition: tp.Partition, Records: []byte{}})
		}
		return &t.Partitions[j]
	}
	for i := range f.parts {
		p := &f.parts[i]
		if !all && p.code == 0 && len(p.acquired) == 0 {
			continue
		}
		out := place(p.TopicPartition)
		out.ErrorCode = p.code
		if p.code == kerr.NotLeaderForPartition.Code {
			out.CurrentLeader.LeaderID, out.CurrentLeader.LeaderEpoch = NodeID, p.log.Epoch()
		}
		if len(p.data) > 0 {
			out.Records = p.data
		}
		size += len(p.data)
		for _, d := range p.acquired {
			a := kmsg.NewShareFetchResponseTopicPartitionAcquiredRecord()
			a.FirstOffset, a.LastOffset, a.DeliveryCount = d.First, d.Last, d.Count
			out.AcquiredRecords = append(out.AcquiredRecords, a)
		}
	}
	for _, a := range list {
		out := place(a.TopicPartition)
		out.AcknowledgeErrorCode, out.AcknowledgeErrorMessage = a.code, a.why
	}
	return size
}

// muting is a ShareFetch response after which the client isn't listened to for a
// while.
type muting struct {
	*kmsg.ShareFetchResponse
	pause time.Duration
}

// tell notes the pause in the response.
func (m muting) tell() wire.Response {
	if m.pause <= 0 {
		return m.ShareFetchResponse
	}
	m.ThrottleMillis = max(m.ThrottleMillis, throttleMillis(m.pause))
	return m
}

// Mute leaves a client unread that has fetched more than its quota.
func (m muting) Mute() time.Duration { return m.pause }
