package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/catalog"
	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/wire"
)

// OffsetCommit, v2-10: store how far a group has come.
//
// v2-4: a retention time, which is ignored: the broker's holds
// v6: leader epoch of the last record consumed
// v7: static members
// v8: flexible
// v9: the member's epoch of groups whose partitions the broker assigns
// v10: topic ids instead of names
func (s *Server) offsetCommit(req *wire.Request, r *kmsg.OffsetCommitRequest) wire.Reply {
	c := s.planCommit(req, r)
	if r.Group == "" {
		c.failAll(kerr.InvalidGroupID.Code)
		return ready(c.resp)
	}
	if !s.mayGroup(req, toRead, r.Group) {
		c.failAll(groupDenied)
		return ready(c.resp)
	}
	by := group.Committer{MemberID: r.MemberID, InstanceID: r.InstanceID, Generation: r.Generation, KnowsEpochs: r.Version >= 9}
	f, err := s.Groups.Commit(r.Group, by, c.commits)
	if err != nil {
		c.failAll(s.coordCode(err))
		return ready(c.resp)
	}
	return await(func(ctx context.Context) (wire.Response, error) {
		done, err := f.Await(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			c.failAll(s.coordCode(err))
		default:
			c.fill(done)
		}
		return c.resp, nil
	})
}

// commit is an OffsetCommit request in work: the commits to make, and where in
// the response the result of each belongs.
type commit struct {
	resp    *kmsg.OffsetCommitResponse
	commits []group.Commit
	places  []place
}

type place struct{ topic, partition int }

// planCommit sorts out the partitions that don't exist.
func (s *Server) planCommit(req *wire.Request, r *kmsg.OffsetCommitRequest) *commit {
	c := &commit{resp: r.ResponseKind().(*kmsg.OffsetCommitResponse)}
	img, at := s.Catalog.Image(), s.nowMillis()
	for i, rt := range r.Topics {
		t, code := topicOf(img, r.Version >= 10, rt.Topic, rt.TopicID)
		denied := !s.mayTopicOr(req, toRead, t, rt.Topic)
		out := kmsg.NewOffsetCommitResponseTopic()
		out.Topic, out.TopicID = rt.Topic, rt.TopicID
		for j, rp := range rt.Partitions {
			p := kmsg.NewOffsetCommitResponseTopicPartition()
			p.Partition = rp.Partition
			switch {
			case denied:
				p.ErrorCode = topicDenied
			case t == nil:
				p.ErrorCode = code
			case t.Log(rp.Partition) == nil:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			default:
				metadata := ""
				if rp.Metadata != nil {
					metadata = *rp.Metadata
				}
				c.places = append(c.places, place{i, j})
				c.commits = append(c.commits, group.Commit{
					Partition: group.Partition{Topic: t.Name, Partition: rp.Partition},
					Offset:    group.Offset{Offset: rp.Offset, LeaderEpoch: rp.LeaderEpoch, Metadata: metadata, CommittedAt: at},
				})
			}
			out.Partitions = append(out.Partitions, p)
		}
		c.resp.Topics = append(c.resp.Topics, out)
	}
	return c
}

// topicOf finds a topic by id or name, and gives the error code for none.
func topicOf(img *catalog.Image, byID bool, name string, id catalog.ID) (*catalog.Topic, int16) {
	if byID {
		return img.TopicByID(id), kerr.UnknownTopicID.Code
	}
	return img.Topic(name), kerr.UnknownTopicOrPartition.Code
}

func (c *commit) fill(done coord.Committed) {
	if done.Code != 0 {
		c.failAll(done.Code)
		return
	}
	for i, at := range c.places {
		c.resp.Topics[at.topic].Partitions[at.partition].ErrorCode = done.Codes[i]
	}
}

func (c *commit) failAll(code int16) {
	for i := range c.resp.Topics {
		for j := range c.resp.Topics[i].Partitions {
			c.resp.Topics[i].Partitions[j].ErrorCode = code
		}
	}
}
