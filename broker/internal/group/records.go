package group

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/leatstream/leat/broker/internal/flex"
)

// ErrRecord is wrapped by the errors for records of the offsets topic that
// can't be read.
var ErrRecord = errors.New("unreadable record of a group")

// Versions of the records that are written, those of Kafka 2.3 to 4.x.
const (
	offsetKeyVersion   = 1
	groupKeyVersion    = 2
	offsetValueVersion = 3
	groupValueVersion  = 3
)

func comparePartitions(a, b Partition) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

func offsetKey(id string, p Partition) []byte {
	k := kmsg.NewOffsetCommitKey()
	k.Version, k.Group, k.Topic, k.Partition = offsetKeyVersion, id, p.Topic, p.Partition
	return k.AppendTo(nil)
}

func offsetRecord(id string, c Commit) Record {
	v := kmsg.NewOffsetCommitValue()
	v.Version = offsetValueVersion
	v.Offset, v.LeaderEpoch, v.Metadata, v.CommitTimestamp = c.Offset.Offset, c.LeaderEpoch, c.Metadata, c.CommittedAt
	return Record{Key: offsetKey(id, c.Partition), Value: v.AppendTo(nil)}
}

func groupKey(id string) []byte {
	k := kmsg.NewGroupMetadataKey()
	k.Version, k.Group = groupKeyVersion, id
	return k.AppendTo(nil)
}

// record is the group's metadata: what a restart needs to let the members go
// on as if nothing had happened.
func (g *Group) record(now time.Time) Record {
	v := kmsg.NewGroupMetadataValue()
	v.Version = groupValueVersion
	v.ProtocolType = g.protocolType
	v.Generation = g.generation
	v.CurrentStateTimestamp = now.UnixMilli()
	if g.protocol != "" {
		v.Protocol = kmsg.StringPtr(g.protocol)
	}
	if len(g.members) > 0 {
		v.Leader = kmsg.StringPtr(g.leader)
	}
	for _, id := range g.order {
		m := g.members[id]
		mv := kmsg.NewGroupMetadataValueMember()
		mv.MemberID, mv.InstanceID = m.id, m.instanceID
		mv.ClientID, mv.ClientHost = m.client.ID, m.client.Host
		mv.RebalanceTimeoutMillis = int32(m.rebalance.Milliseconds())
		mv.SessionTimeoutMillis = int32(m.session.Milliseconds())
		mv.Subscription = m.metadata(g.protocol)
		mv.Assignment = m.assignment
		v.Members = append(v.Members, mv)
	}
	return Record{Key: groupKey(g.id), Value: v.AppendTo(nil)}
}

// GroupOf returns the group that a record of the offsets topic is about, and the
// record's type. ok is false for types that this version doesn't know.
func GroupOf(r Record) (id string, t RecordType, ok bool, err error) {
	k, err := ParseKey(r.Key)
	if err != nil {
		return "", 0, false, err
	}
	_, ok = k.Type.Kind()
	return k.Group, k.Type, ok, nil
}

// Key is the beginning of the key of any record of the offsets topic: of offsets a
// topic and a partition follow.
type Key struct {
	Type  RecordType
	Group string
	Item  string // a member's id or a regular expression; "" where there is none
}

// ParseKey reads a key. Item is read only for types that have one.
func ParseKey(b []byte) (Key, error) {
	var k Key
	err := flex.Decode(b, k.schema)
	if err != nil {
		return k, fmt.Errorf("%w: key of %d bytes: %w", ErrRecord, len(b), err)
	}
	return k, nil
}

// Append appends the key's encoding to b.
func (k Key) Append(b []byte) []byte { return flex.Encode(b, k.schema) }

func (k *Key) schema(c *flex.Coder) {
	t := int16(k.Type)
	c.Int16(&t)
	k.Type = RecordType(t)
	if _, known := k.Type.Kind(); !known {
		return
	}
	c.OldString(&k.Group)
	switch k.Type {
	case ConsumerMember, ConsumerMemberTarget, ConsumerCurrent, ConsumerRegex,
		ShareMember, ShareMemberTarget, ShareCurrent, StreamsMember, StreamsMemberTarget, StreamsCurrent:
		c.OldString(&k.Item)
	}
}

// Restore applies a record read back from its place in the offsets topic.
// Sessions of restored members start at now.
func (g *Group) Restore(now time.Time, r Record, at Place) error {
	_, t, _, err := GroupOf(r)
	switch kind, known := t.Kind(); {
	case err != nil:
		return err
	case t == ClassicGroup:
		return g.restoreGroup(now, r.Value)
	case !known, t > ClassicGroup && g.Kind() != kind:
		return nil // the tombstone of what is gone already
	case t.Ends() && r.Value == nil:
		g.Become(nil, now)
		return nil
	case t > ClassicGroup:
		return g.membership.Apply(r)
	}
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(r.Key); err != nil {
		return fmt.Errorf("%w: offset key: %w", ErrRecord, err)
	}
	p := Partition{k.Topic, k.Partition}
	if r.Value == nil {
		g.drop(p)
		return nil
	}
	var v kmsg.OffsetCommitValue
	if err := v.ReadFrom(r.Value); err != nil {
		return fmt.Errorf("%w: offset of %s %d: %w", ErrRecord, k.Topic, k.Partition, err)
	}
	epoch := v.LeaderEpoch
	if v.Version < 3 {
		epoch = -1
	}
	o := Offset{Offset: v.Offset, LeaderEpoch: epoch, Metadata: v.Metadata, CommittedAt: v.CommitTimestamp}
	g.put(p, committed{o, at.Offset}, at.Producer)
	return nil
}

func (g *Group) restoreGroup(now time.Time, value []byte) error {
	if value == nil {
		if g.membership == nil {
			g.Become(nil, now)
		}
		return nil
	}
	g.Become(nil, now)
	var v kmsg.GroupMetadataValue
	if err := v.ReadFrom(value); err != nil {
		return fmt.Errorf("%w: metadata of group %s: %w", ErrRecord, g.id, err)
	}
	g.protocolType, g.generation = v.ProtocolType, v.Generation
	if v.Version >= 2 && v.CurrentStateTimestamp >= 0 {
		g.since = time.UnixMilli(v.CurrentStateTimestamp)
	}
	if v.Protocol != nil {
		g.protocol = *v.Protocol
	}
	for _, mv := range v.Members {
		m := &member{
			id: mv.MemberID, instanceID: mv.InstanceID,
			client:     Client{mv.ClientID, mv.ClientHost},
			session:    time.Duration(mv.SessionTimeoutMillis) * time.Millisecond,
			rebalance:  time.Duration(mv.RebalanceTimeoutMillis) * time.Millisecond,
			assignment: mv.Assignment,
			protocols:  []kmsg.JoinGroupRequestProtocol{{Name: g.protocol, Metadata: mv.Subscription}},
		}
		m.touch(now)
		g.add(m)
	}
	if v.Leader != nil && g.members[*v.Leader] != nil {
		g.leader = *v.Leader
	}
	if len(g.members) > 0 {
		g.state = Stable
	}
	return nil
}
