package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shareSession makes the requests of a share session by hand.
type shareSession struct {
	t      *testing.T
	c      *kgo.Client
	topic  [16]byte
	member string
}

// ackOf says types of the offsets from first to last.
type ackOf struct {
	first, last int64
	types       []int8
}

// fetch returns the codes of a ShareFetch of partition 0 and what was acquired.
func (s *shareSession) fetch(epoch int32, change func(*kmsg.ShareFetchRequest), acks ...ackOf) string {
	s.t.Helper()
	r := kmsg.NewPtrShareFetchRequest()
	r.GroupID, r.MemberID, r.ShareSessionEpoch = kmsg.StringPtr("g"), &s.member, epoch
	r.MinBytes, r.MaxRecords, r.BatchSize = 1, 100, 100
	p := kmsg.NewShareFetchRequestTopicPartition()
	for _, a := range acks {
		p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareFetchRequestTopicPartitionAcknowledgementBatch{FirstOffset: a.first, LastOffset: a.last, AcknowledgeTypes: a.types})
	}
	r.Topics = []kmsg.ShareFetchRequestTopic{{TopicID: s.topic, Partitions: []kmsg.ShareFetchRequestTopicPartition{p}}}
	if change != nil {
		change(r)
	}
	resp, err := r.RequestWith(timeout(s.t), s.c)
	if err != nil {
		s.t.Fatal(err)
	}
	said := fmt.Sprint(resp.ErrorCode)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			said += fmt.Sprintf(" %d/%d", p.ErrorCode, p.AcknowledgeErrorCode)
			for _, a := range p.AcquiredRecords {
				said += fmt.Sprintf(" %d-%d:%d", a.FirstOffset, a.LastOffset, a.DeliveryCount)
			}
		}
	}
	return said
}

// acknowledge returns the codes of a ShareAcknowledge of partition 0.
func (s *shareSession) acknowledge(epoch int32, change func(*kmsg.ShareAcknowledgeRequest), acks ...ackOf) string {
	s.t.Helper()
	r := kmsg.NewPtrShareAcknowledgeRequest()
	r.GroupID, r.MemberID, r.ShareSessionEpoch = kmsg.StringPtr("g"), &s.member, epoch
	p := kmsg.NewShareAcknowledgeRequestTopicPartition()
	for _, a := range acks {
		p.AcknowledgementBatches = append(p.AcknowledgementBatches, kmsg.ShareAcknowledgeRequestTopicPartitionAcknowledgementBatch{FirstOffset: a.first, LastOffset: a.last, AcknowledgeTypes: a.types})
	}
	r.Topics = []kmsg.ShareAcknowledgeRequestTopic{{TopicID: s.topic, Partitions: []kmsg.ShareAcknowledgeRequestTopicPartition{p}}}
	if change != nil {
		change(r)
	}
	resp, err := r.RequestWith(timeout(s.t), s.c)
	if err != nil {
		s.t.Fatal(err)
	}
	said := fmt.Sprint(resp.ErrorCode)
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			said += fmt.Sprint(" ", p.ErrorCode)
		}
	}
	return said
}

// What a real Kafka answers to requests that clients don't make by themselves.
func TestShareGroup_Wire(t *testing.T) {
	b := start(t, Config{})
	if err := b.CreateTopic(t.Context(), "t", 1); err != nil {
		t.Fatal(err)
	}
	for i := range 10 { // a batch each
		produce(t, client(t, b), "t", fmt.Sprint(i))
	}
	if code := alterShareOffset(t, b, 0); code != 0 {
		t.Fatal(code)
	}
	id := b.catalog.Image().Topic("t").ID
	m, n := &shareSession{t, client(t, b), id, "m"}, &shareSession{t, client(t, b), id, "n"}
	long := &shareSession{t, client(t, b), id, strings.Repeat("x", 37)}
	one := func(first, last int64, types ...int8) ackOf { return ackOf{first, last, types} }
	limit := func(r *kmsg.ShareFetchRequest) { r.MaxRecords, r.ShareAcquireMode = 4, 1 }
	renewing := func(r *kmsg.ShareAcknowledgeRequest) { r.IsRenewAck = true }
	elsewhere := func(r *kmsg.ShareAcknowledgeRequest) { r.Topics[0].TopicID = [16]byte{9} }
	renewFetch := func(r *kmsg.ShareFetchRequest) {
		r.IsRenewAck, r.MaxBytes, r.MinBytes, r.MaxRecords, r.MaxWaitMillis = true, 0, 0, 0, 0
	}
	for _, x := range []struct{ what, got, want string }{
		{"a long member id", long.fetch(0, nil), "42"},
		{"no session", m.fetch(1, nil), "122"},
		{"no session to end", m.fetch(-1, nil), "122"},
		{"acknowledgements without a session", m.acknowledge(1, nil, one(0, 0, 1)), "122"},
		{"a session begun by an acknowledgement", m.acknowledge(0, nil, one(0, 0, 1)), "123"},
		{"acknowledgements at the beginning", m.fetch(0, nil, one(0, 0, 1)), "42"},
		{"an unknown mode", m.fetch(0, func(r *kmsg.ShareFetchRequest) { r.ShareAcquireMode = 7 }), "42"},
		{"the first four", m.fetch(0, limit), "0 0/0 0-3:1"},
		{"another epoch", m.fetch(5, nil), "123"},
		{"another epoch", m.acknowledge(5, nil, one(0, 0, 1)), "123"},
		{"one", m.acknowledge(1, nil, one(0, 0, 1)), "0 0"},
		{"the same again, before the start now", m.acknowledge(2, nil, one(0, 0, 1)), "0 0"},
		{"not acquired", m.acknowledge(3, nil, one(5, 5, 1)), "0 42"},
		{"reversed", m.acknowledge(4, nil, one(3, 1, 1)), "0 42"},
		{"no types", m.acknowledge(5, nil, one(1, 1)), "0 42"},
		{"type 5", m.acknowledge(6, nil, one(1, 1, 5)), "0 42"},
		{"type -1", m.acknowledge(7, nil, one(1, 1, -1)), "0 42"},
		{"a renewal that isn't announced", m.acknowledge(8, nil, one(1, 1, 4)), "0 42"},
		{"a renewal", m.acknowledge(9, renewing, one(1, 1, 4)), "0 0"},
		{"too many types", m.acknowledge(10, nil, one(1, 2, 1, 1, 1)), "0 42"},
		{"an unknown topic", m.acknowledge(11, elsewhere, one(1, 1, 1)), "0 100"},
		{"twice in one request", m.acknowledge(12, nil, one(1, 2, 1), one(2, 3, 1)), "0 121"},
		{"accepted, released and a gap", m.acknowledge(13, nil, one(1, 3, 1, 2, 0)), "0 0"},
		{"beside a fetch", m.fetch(14, nil, one(1, 1, 1)), "0 0/0 2-2:2 4-9:1"},
		{"a renewal beside a fetch", m.fetch(15, func(r *kmsg.ShareFetchRequest) { r.IsRenewAck = true }, one(4, 4, 4)), "42"},
		{"a renewal without one", m.fetch(15, renewFetch, one(4, 4, 4)), "0 0/0"},
		{"nothing left", n.fetch(0, nil), "0 0/0"},
		{"another's record", n.acknowledge(1, nil, one(4, 4, 1)), "0 121"},
		{"the end, and one more", m.fetch(-1, nil, one(4, 4, 1)), "0 0/0"},
		{"what the other had", n.fetch(2, func(r *kmsg.ShareFetchRequest) { r.MaxWaitMillis = 5000 }), "0 0/0 2-2:3 5-9:2"},
		{"the end", n.acknowledge(-1, nil, one(5, 5, 2)), "0 0"},
		{"the end again", n.acknowledge(-1, nil, one(5, 5, 2)), "122"},
	} {
		if x.got != x.want {
			t.Errorf("%s: %s, want %s", x.what, x.got, x.want)
		}
	}
}
