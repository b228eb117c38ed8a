package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// OffsetFetch, v1-10: how far groups have come.
//
// A partition without an offset, and a group that doesn't exist, answer offset
// -1 without an error.
//
// v2: null topics are all that have an offset; an error code for the whole
// v5: leader epochs
// v6: flexible
// v7: require stable: no offset where a transaction may still change it
// v8: many groups
// v9: member id and epoch, which groups check whose partitions the broker assigns
// v10: topic ids instead of names
func (s *Server) offsetFetch(req *wire.Request, r *kmsg.OffsetFetchRequest) wire.Reply {
	groups := r.Groups
	if r.Version < 8 {
		groups = []kmsg.OffsetFetchRequestGroup{oldOffsetFetch(r)}
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		resp := r.ResponseKind().(*kmsg.OffsetFetchResponse)
		for _, g := range groups {
			out, err := s.offsetsOf(ctx, req, g, r.Version, needOf(r))
			if err != nil {
				return nil, err
			}
			if r.Version < 8 {
				oldOffsetFetchResponse(resp, out)
				continue
			}
			resp.Groups = append(resp.Groups, out)
		}
		return resp, nil
	})
}

// oldOffsetFetch is the one group of a request before v8.
func oldOffsetFetch(r *kmsg.OffsetFetchRequest) kmsg.OffsetFetchRequestGroup {
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = r.Group
	if r.Topics != nil {
		g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
	}
	for _, t := range r.Topics {
		gt := kmsg.NewOffsetFetchRequestGroupTopic()
		gt.Topic, gt.Partitions = t.Topic, t.Partitions
		g.Topics = append(g.Topics, gt)
	}
	return g
}

func oldOffsetFetchResponse(resp *kmsg.OffsetFetchResponse, g kmsg.OffsetFetchResponseGroup) {
	resp.ErrorCode = g.ErrorCode
	for _, gt := range g.Topics {
		t := kmsg.NewOffsetFetchResponseTopic()
		t.Topic = gt.Topic
		for _, gp := range gt.Partitions {
			p := kmsg.NewOffsetFetchResponseTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch = gp.Partition, gp.Offset, gp.LeaderEpoch
			p.Metadata, p.ErrorCode = gp.Metadata, gp.ErrorCode
			t.Partitions = append(t.Partitions, p)
		}
		resp.Topics = append(resp.Topics, t)
	}
}

// offsetsOf answers for one group. The error is ctx's.
func (s *Server) offsetsOf(ctx context.Context, req *wire.Request, r kmsg.OffsetFetchRequestGroup, version int16, stable stability) (kmsg.OffsetFetchResponseGroup, error) {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = r.Group
	if r.Group == "" {
		out.ErrorCode = kerr.InvalidGroupID.Code
		return out, nil
	}
	if !s.mayGroup(req, toDescribe, r.Group) {
		out.ErrorCode = groupDenied
		return out, nil
	}
	img := s.Catalog.Image()
	f, err := s.Groups.Inspect(r.Group, func(g *group.Group) (found foundOffsets) {
		if g != nil && version >= 9 {
			id := ""
			if r.MemberID != nil {
				id = *r.MemberID
			}
			if found.code = g.CheckFetch(id, r.MemberEpoch); found.code != 0 {
				return found
			}
		}
		if r.Topics == nil {
			found.topics = allOffsets(img, g, stable)
			return found
		}
		for _, rt := range r.Topics {
			found.topics = append(found.topics, offsetsOfTopic(img, g, rt, version >= 10, stable))
		}
		return found
	})
	found, code, err := awaitCoord(ctx, s, f, err)
	if err != nil {
		return out, err
	}
	out.ErrorCode = cmp.Or(code, found.code)
	out.Topics = s.onlyDescribed(req, img, found.topics, r.Topics == nil)
	return out, nil
}

// foundOffsets is what a group knows of the offsets asked for, or why it tells none.
type foundOffsets struct {
	topics []kmsg.OffsetFetchResponseGroupTopic
	code   int16
}

// onlyDescribed takes away what the client may not know of topics: all of it if
// the client didn't name them, and otherwise their offsets.
func (s *Server) onlyDescribed(req *wire.Request, img *catalog.Image, topics []kmsg.OffsetFetchResponseGroupTopic, all bool) []kmsg.OffsetFetchResponseGroupTopic {
	return slices.DeleteFunc(topics, func(t kmsg.OffsetFetchResponseGroupTopic) bool {
		name := t.Topic
		if known := img.TopicByID(t.TopicID); name == "" && known != nil {
			name = known.Name
		}
		if all || name == "" {
			return name != "" && !s.sees(req, toDescribe, aTopic, name)
		}
		if s.mayTopic(req, toDescribe, name) {
			return false
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode = -1, -1, kmsg.StringPtr(""), topicDenied
		}
		return false
	})
}

// stability is whether a client wants offsets that an open transaction may
// still change.
type stability uint8

const (
	anyOffsets stability = iota
	stableOffsets
)

func needOf(r *kmsg.OffsetFetchRequest) stability {
	if r.RequireStable {
		return stableOffsets
	}
	return anyOffsets
}

func offsetsOfTopic(img *catalog.Image, g *group.Group, rt kmsg.OffsetFetchRequestGroupTopic, byID bool, need stability) kmsg.OffsetFetchResponseGroupTopic {
	out := kmsg.NewOffsetFetchResponseGroupTopic()
	out.Topic, out.TopicID = rt.Topic, rt.TopicID
	name := rt.Topic
	var code int16
	if byID {
		if t := img.TopicByID(rt.TopicID); t != nil {
			name = t.Name
		} else {
			code = kerr.UnknownTopicID.Code
		}
	}
	for _, rp := range rt.Partitions {
		p := committedOffset(g, group.Partition{Topic: name, Partition: rp}, need)
		if code != 0 {
			p.ErrorCode = code
		}
		out.Partitions = append(out.Partitions, p)
	}
	return out
}

func committedOffset(g *group.Group, at group.Partition, need stability) kmsg.OffsetFetchResponseGroupTopicPartition {
	p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = at.Partition, -1, -1, kmsg.StringPtr("")
	if g == nil {
		return p
	}
	if need == stableOffsets && g.Unstable(at) {
		p.ErrorCode = kerr.UnstableOffsetCommit.Code
	} else if o, ok := g.Offset(at); ok {
		p.Offset, p.LeaderEpoch, p.Metadata = o.Offset, o.LeaderEpoch, kmsg.StringPtr(o.Metadata)
	}
	return p
}

// allOffsets answers for all partitions that have an offset.
func allOffsets(img *catalog.Image, g *group.Group, need stability) []kmsg.OffsetFetchResponseGroupTopic {
	if g == nil {
		return nil
	}
	var topics []kmsg.OffsetFetchResponseGroupTopic
	for _, p := range g.Partitions() {
		if n := len(topics); n == 0 || topics[n-1].Topic != p.Topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic = p.Topic
			if known := img.Topic(p.Topic); known != nil {
				t.TopicID = known.ID
			}
			topics = append(topics, t)
		}
		t := &topics[len(topics)-1]
		t.Partitions = append(t.Partitions, committedOffset(g, p, need))
	}
	return topics
}
