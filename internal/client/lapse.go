package client

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/internal/record"
)

// # Lapsed membership
//
// A member that was silent for too long is thrown out of its group, and others
// get its partitions. If it learns that from a heartbeat or a commit, the
// library takes its partitions away as lost. But if it learns it when it joins
// the next rebalance (which it can do late, as joining waits for a commit that
// doesn't get through), the library just joins again as a new member, goes on
// with the partitions that it had, and lays claim to them. What it would commit
// for them then is old: others have been further. It would be accepted, as it
// comes from a proper member, and the offsets would go back.
//
// So it is noted as which member each partition was got. A member that turns out
// to be another one claims nothing, refuses its assignment, upon which the
// library takes all partitions away as lost and joins once more, and commits
// nothing in between.

// errLapsed makes the library begin from scratch.
var errLapsed = errors.New("the membership had ended unnoticed, or what was done as a member can't be finished: beginning anew")

// Renounce makes the group take all partitions away as lost, and share them out
// anew: what was done since the last commit can't be finished, and the library
// can't go back to the commit in any other way.
func (g *Group) Renounce() {
	g.mu.Lock()
	g.renounced = len(g.has) > 0
	g.mu.Unlock()
	g.k.ForceRebalance()
}

// lapsed tells whether partitions are held that were got as another member, or
// renounced.
func (g *Group) lapsed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.has) == 0 {
		return false // perhaps it isn't even ready
	}
	if g.renounced {
		return true
	}
	member := g.Member()
	for _, as := range g.has {
		if as != member {
			return true
		}
	}
	return false
}

// beforeCommit completes a request to commit that the library has made: it puts
// the metadata in, and stops it if a partition isn't held as the member that it
// comes from. It is called when nothing but the sending is left to be done: the
// commit may have waited for the end of a rebalance.
func (g *Group) beforeCommit(ctx context.Context, meta map[record.TopicPartition]string) context.Context {
	return kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		g.mu.Lock()
		defer g.mu.Unlock()
		for i := range req.Topics {
			t := &req.Topics[i]
			for j := range t.Partitions {
				tp := record.TopicPartition{Topic: t.Topic, Partition: t.Partitions[j].Partition}
				if as, ok := g.has[tp]; !ok || as != req.MemberID {
					return fmt.Errorf("%w: %s was not assigned to %s (but to %q)", ErrFenced, tp, req.MemberID, as)
				}
				m := meta[tp]
				t.Partitions[j].Metadata = &m
			}
		}
		return nil
	})
}
