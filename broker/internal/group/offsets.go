package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Partition names a partition by topic name.
type Partition struct {
	Topic     string
	Partition int32
}

// Offset is a committed offset.
type Offset struct {
	Offset      int64
	LeaderEpoch int32 // -1 if the client didn't say
	Metadata    string
	CommittedAt int64 // milliseconds
}

// Commit is an offset to be committed.
type Commit struct {
	Partition
	Offset
}

// Committer is who commits. Generation is negative for a consumer that doesn't
// take part in the group's rebalances.
type Committer struct {
	MemberID   string
	InstanceID *string
	Generation int32
	// KnowsEpochs says that the request is of a version whose client knows the
	// errors of member epochs.
	KnowsEpochs bool
	// InTxn says that the commit is part of a transaction. The first versions
	// of that request told nothing of the member.
	InTxn bool
}

// Outsider says that who commits takes no part in the rebalances of a group to
// which the broker assigns partitions, and may commit even so: there is nobody
// whose progress it could move, or it is a transaction whose request can't tell
// who the member is.
func (by Committer) Outsider(members int) bool {
	return by.Generation < 0 && (members == 0 || by.InTxn && by.MemberID == "" && by.InstanceID == nil)
}

// Stale is the error code for an epoch that isn't the member's. The request of
// transactions knows only the older of the two.
func (by Committer) Stale() int16 {
	if by.InTxn {
		return kerr.IllegalGeneration.Code
	}
	return kerr.StaleMemberEpoch.Code
}

// CheckCommit says whether by may commit the offsets now: 0, or the error code.
func (g *Group) CheckCommit(env Env, by Committer, ps []Commit) int16 {
	if g.state == Dead {
		return kerr.CoordinatorNotAvailable.Code
	}
	if g.membership != nil {
		return g.membership.CheckCommit(env, by, ps)
	}
	if by.Generation < 0 && g.state == Empty {
		return 0
	}
	if by.Generation < 0 && by.MemberID == "" && by.InstanceID == nil {
		if by.InTxn {
			return 0
		}
		// Someone without membership must not move the members' offsets.
		return kerr.UnknownMemberID.Code
	}
	m, code := g.identify(by.MemberID, by.InstanceID)
	switch {
	case code != 0:
		return code
	case by.Generation != g.generation:
		return kerr.IllegalGeneration.Code
	case g.state == CompletingRebalance && !by.InTxn:
		return kerr.RebalanceInProgress.Code
	}
	m.touch(env.Now)
	return 0
}

// CheckFetch says whether a member may fetch offsets: 0, or the error code.
// Classic groups don't ask.
func (g *Group) CheckFetch(memberID string, epoch int32) int16 {
	if g.membership == nil {
		return 0
	}
	return g.membership.CheckFetch(memberID, epoch)
}

// CommitRecords returns the records that store the commits, and the error code
// of each commit; those with a code other than 0 have no record.
func (g *Group) CommitRecords(commits []Commit) ([]Record, []int16) {
	codes := make([]int16, len(commits))
	records := make([]Record, 0, len(commits))
	for i, c := range commits {
		if len(c.Metadata) > g.cfg.MaxMetadataBytes {
			codes[i] = kerr.OffsetMetadataTooLarge.Code
			continue
		}
		records = append(records, offsetRecord(g.id, c))
	}
	return records, codes
}

// Store takes commits whose records are stored, from at on.
func (g *Group) Store(commits []Commit, codes []int16, at Place) {
	for i, c := range commits {
		if codes[i] == 0 {
			g.put(c.Partition, committed{c.Offset, at.Offset}, at.Producer)
			at.Offset++
		}
	}
}

// Offset returns the committed offset of a partition.
func (g *Group) Offset(p Partition) (Offset, bool) {
	c, ok := g.offsets[p]
	return c.Offset, ok
}

// Partitions lists the partitions with a committed offset, in order.
func (g *Group) Partitions() []Partition {
	ps := make([]Partition, 0, len(g.offsets))
	for p := range g.offsets {
		ps = append(ps, p)
	}
	slices.SortFunc(ps, comparePartitions)
	return ps
}

// Mentioned lists the partitions with an offset that is committed or waits for
// the end of its transaction, in order.
func (g *Group) Mentioned() []Partition {
	ps := g.Partitions()
	for _, offsets := range g.open {
		for p := range offsets {
			ps = append(ps, p)
		}
	}
	slices.SortFunc(ps, comparePartitions)
	return slices.Compact(ps)
}

// CheckDeleteOffsets says whether offsets may be deleted from outside: 0, or
// the error code.
func (g *Group) CheckDeleteOffsets() int16 {
	switch {
	case g.state == Dead:
		return kerr.GroupIDNotFound.Code
	case g.Kind() == Share && g.membership.Members() > 0:
		return kerr.NonEmptyGroup.Code
	case g.state != Empty && g.protocolType != consumerType:
		return kerr.NonEmptyGroup.Code
	}
	return 0
}

// Subscribed says whether a member consumes the topic. It is true for all
// topics if the members' subscriptions can't be read.
func (g *Group) Subscribed(topic string) bool {
	if g.membership != nil && g.state != Dead {
		return g.membership.Subscribed(topic)
	}
	if g.state == Empty || g.state == Dead {
		return false
	}
	for _, m := range g.members {
		var sub kmsg.ConsumerMemberMetadata
		if g.protocolType != consumerType || len(m.protocols) == 0 || sub.ReadFrom(m.protocols[0].Metadata) != nil {
			return true
		}
		if slices.Contains(sub.Topics, topic) {
			return true
		}
	}
	return false
}

// consumerType is the protocol type whose member metadata lists topics.
const consumerType = "consumer"

// DeleteOffsets returns the tombstones for those of the partitions that have
// an offset, be it of an open transaction. Forget drops them once the
// tombstones are stored.
func (g *Group) DeleteOffsets(ps []Partition) []Record {
	var rs []Record
	for _, p := range ps {
		if _, ok := g.offsets[p]; ok || g.Unstable(p) {
			rs = append(rs, Record{Key: offsetKey(g.id, p)})
		}
	}
	return rs
}

// Forget drops the offsets of partitions.
func (g *Group) Forget(ps []Partition) {
	for _, p := range ps {
		g.drop(p)
	}
}

// Expired lists the partitions whose offsets nobody has needed for the
// retention time: in an empty group since it became empty (or since the
// commit, if later), in a group with members those of topics that nobody
// subscribes to.
func (g *Group) Expired(now time.Time) []Partition {
	if g.cfg.OffsetsRetention < 0 {
		return nil
	}
	limit := now.Add(-g.cfg.OffsetsRetention)
	empty := g.Vacant()
	if empty && g.protocolType != "" && g.since.After(limit) {
		return nil
	}
	var ps []Partition
	for _, p := range g.Partitions() {
		if g.offsets[p].CommittedAt > limit.UnixMilli() || g.Unstable(p) {
			continue
		}
		if empty || !g.Subscribed(p.Topic) {
			ps = append(ps, p)
		}
	}
	return ps
}

// Idle says that nothing is left to remember of the group.
func (g *Group) Idle() bool {
	if g.Kind() == Share {
		return false // it has a state elsewhere, which only its deletion ends
	}
	return g.Vacant() && len(g.offsets) == 0 && len(g.open) == 0 && len(g.pending) == 0
}

// CheckDelete says whether the group may be deleted: 0, or the error code.
func (g *Group) CheckDelete() int16 {
	switch g.state {
	case Dead:
		return kerr.GroupIDNotFound.Code
	case Empty:
		if g.membership == nil || g.membership.Members() == 0 {
			return 0
		}
	}
	return kerr.NonEmptyGroup.Code
}

// Tombstones returns the records that remove every trace of the group. Kill
// marks it dead once they are stored.
func (g *Group) Tombstones() []Record {
	return append(g.DeleteOffsets(g.Mentioned()), g.Leftovers()...)
}

// Kill marks the group as removed.
func (g *Group) Kill(now time.Time) {
	g.enter(Dead, now)
	clear(g.offsets)
	clear(g.open)
}
