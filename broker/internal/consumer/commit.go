package consumer

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/group"
)

// CheckCommit says whether by may commit offsets of the partitions. A member may
// with its epoch, and with an earlier one for partitions that it has had since.
func (g *Group) CheckCommit(env group.Env, by group.Committer, ps []group.Commit) int16 {
	if by.Outsider(len(g.Member)) {
		return 0
	}
	m := g.Member[by.MemberID]
	switch {
	case m == nil:
		return kerr.UnknownMemberID.Code
	case m.classic != nil:
		if by.Generation != m.Epoch {
			return kerr.IllegalGeneration.Code
		}
		return 0
	case !by.KnowsEpochs && !by.InTxn: // it could not make sense of the answer
		return kerr.UnsupportedVersion.Code
	case by.Generation == m.Epoch:
		return 0
	case by.Generation < 0 || by.Generation > m.Epoch:
		return by.Stale()
	}
	// The member is behind, as members are that commit while they give partitions
	// back. Nobody else has had them since, or it wouldn't have them.
	for _, p := range ps {
		t, ok := env.Topics.Topic(p.Topic)
		epoch, has := m.assigned[t.ID][p.Partition.Partition]
		if !has {
			epoch, has = m.pending[t.ID][p.Partition.Partition]
		}
		if !ok || !has || by.Generation < epoch {
			return by.Stale()
		}
	}
	return 0
}

// CheckFetch says whether a member may fetch offsets.
func (g *Group) CheckFetch(memberID string, epoch int32) int16 {
	if memberID == "" && epoch < 0 {
		return 0
	}
	m := g.Member[memberID]
	switch {
	case m == nil:
		return kerr.UnknownMemberID.Code
	case m.Epoch == epoch:
		return 0
	case m.classic != nil:
		return kerr.IllegalGeneration.Code
	}
	return kerr.StaleMemberEpoch.Code
}
