package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/coord"
	"github.com/leatstream/leat/broker/internal/group"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/txn"
	"github.com/leatstream/leat/broker/internal/wire"
)

// TxnOffsetCommit, v0-5: commit offsets of a group as part of a transaction.
//
// v2: leader epochs
// v3: flexible; the group's member, which is checked as in OffsetCommit
// v4: TRANSACTION_ABORTABLE
// v5: the second protocol: the group needs not be added before
func (s *Server) txnOffsetCommit(req *wire.Request, r *kmsg.TxnOffsetCommitRequest) wire.Reply {
	c := &txnCommit{s: s, r: r, resp: r.ResponseKind().(*kmsg.TxnOffsetCommitResponse)}
	c.plan(req)
	switch {
	case !s.mayTransact(req, toWrite, r.TransactionalID):
		c.failAll(transactionDenied)
	case !s.mayGroup(req, toRead, r.Group):
		c.failAll(groupDenied)
	case r.Group == "":
		c.failAll(kerr.InvalidGroupID.Code)
	case len(c.commits) > 0:
		return await(func(ctx context.Context) (wire.Response, error) {
			done, err := c.run(ctx)
			if err != nil {
				return nil, err
			}
			c.fill(done)
			return c.resp, nil
		})
	}
	return ready(c.resp)
}

// txnCommit is a TxnOffsetCommit request in work.
type txnCommit struct {
	s       *Server
	r       *kmsg.TxnOffsetCommitRequest
	resp    *kmsg.TxnOffsetCommitResponse
	commits []group.Commit
	places  []place
}

// plan sorts out the partitions that don't exist.
func (c *txnCommit) plan(req *wire.Request) {
	img, at := c.s.Catalog.Image(), c.s.nowMillis()
	for i, rt := range c.r.Topics {
		t := img.Topic(rt.Topic)
		denied := !c.s.mayTopic(req, toRead, rt.Topic)
		out := kmsg.NewTxnOffsetCommitResponseTopic()
		out.Topic = rt.Topic
		for j, rp := range rt.Partitions {
			p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
			p.Partition = rp.Partition
			switch {
			case denied:
				p.ErrorCode = topicDenied
			case t.Log(rp.Partition) == nil:
				p.ErrorCode = kerr.UnknownTopicOrPartition.Code
			default:
				o := group.Offset{Offset: rp.Offset, LeaderEpoch: rp.LeaderEpoch, CommittedAt: at}
				if rp.Metadata != nil {
					o.Metadata = *rp.Metadata
				}
				c.places = append(c.places, place{i, j})
				c.commits = append(c.commits, group.Commit{Partition: group.Partition{Topic: rt.Topic, Partition: rp.Partition}, Offset: o})
			}
			out.Partitions = append(out.Partitions, p)
		}
		c.resp.Topics = append(c.resp.Topics, out)
	}
}

// run makes sure that the group's partition belongs to the transaction, and
// commits. The error is ctx's.
func (c *txnCommit) run(ctx context.Context) (coord.Committed, error) {
	r, groups := c.r, c.s.Groups
	v := partition.TxnV1
	if r.Version >= 5 {
		v = partition.TxnV2
	}
	tx := coord.TxnCommit{Producer: txn.Producer{ID: r.ProducerID, Epoch: r.ProducerEpoch}}
	where, err := groups.PartitionOf(r.Group)
	if err != nil {
		return coord.Committed{Code: c.s.coordCode(err)}, nil
	}
	guard, needed, err := groups.BeginTxn(r.Group, tx.Producer, v)
	if err != nil {
		return coord.Committed{Code: c.s.logCode(err, where.Topic, where.Partition)}, nil
	}
	if needed {
		tx.Guard = guard
		codes, err := c.s.join(ctx, r.TransactionalID, tx.Producer, []txn.Partition{where}, v)
		if err != nil {
			return coord.Committed{}, err
		}
		if codes[0] != 0 {
			return coord.Committed{Code: joinCode(codes[0], r.Version >= 4)}, nil
		}
	}
	by := group.Committer{MemberID: r.MemberID, InstanceID: r.InstanceID, Generation: r.Generation}
	f, err := groups.CommitInTxn(r.Group, by, c.commits, tx)
	var done coord.Committed
	if err == nil {
		done, err = f.Await(ctx)
	}
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	if err != nil {
		done.Code = c.s.coordCode(err)
	}
	return done, nil
}

func (c *txnCommit) fill(done coord.Committed) {
	for i, at := range c.places {
		code := done.Code
		if code == 0 {
			code = done.Codes[i]
		}
		c.resp.Topics[at.topic].Partitions[at.partition].ErrorCode = code
	}
}

func (c *txnCommit) failAll(code int16) {
	for i := range c.resp.Topics {
		for j := range c.resp.Topics[i].Partitions {
			c.resp.Topics[i].Partitions[j].ErrorCode = code
		}
	}
}
