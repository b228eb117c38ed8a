package streams

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/leatstream/leat/broker/internal/group"
)

// CheckCommit says whether by may commit offsets of the partitions. A member may
// with its epoch, and with an earlier one for partitions of active tasks that it
// has had since.
func (g *Group) CheckCommit(_ group.Env, by group.Committer, ps []group.Commit) int16 {
	if by.Outsider(len(g.Member)) {
		return 0
	}
	m := g.Member[by.MemberID]
	switch {
	case m == nil:
		return kerr.UnknownMemberID.Code
	case !by.KnowsEpochs && !by.InTxn: // it could not make sense of the answer
		return kerr.UnsupportedVersion.Code
	case by.Generation == m.Epoch:
		return 0
	case by.Generation < 0 || by.Generation > m.Epoch || g.topology == nil:
		return by.Stale()
	}
	// The member is behind, as members are that commit while they give tasks back. No
	// other has had its tasks since, or it wouldn't have them.
	for _, p := range ps {
		if epoch, ok := g.since(m, p.Partition); !ok || by.Generation < epoch {
			return by.Stale()
		}
	}
	return 0
}

// since is the epoch at which a member got the active task that reads a partition.
func (g *Group) since(m *member, p group.Partition) (epoch int32, ok bool) {
	for _, s := range g.topology.subs {
		if epoch, ok = m.since[s.name][p.Partition]; ok && slices.Contains(s.inputs(), p.Topic) {
			return epoch, true
		}
	}
	return 0, false
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
	case m.Epoch != epoch:
		return kerr.StaleMemberEpoch.Code
	}
	return 0
}
