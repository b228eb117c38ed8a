package group

import "strings"

// Kind is the protocol that a group's members speak.
type Kind uint8

// The kinds of groups. Members of classic groups assign partitions among
// themselves; to those of the other kinds the broker assigns them.
const (
	Classic Kind = iota
	Consumer
	Share
	Streams
)

// String is the kind's name in ListGroups.
func (k Kind) String() string {
	switch k {
	case Classic:
		return "classic"
	case Consumer:
		return "consumer"
	case Share:
		return "share"
	default:
		return "streams"
	}
}

// title is the kind's name where a sentence begins.
func (k Kind) title() string {
	name := k.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

// RecordType says what a record of the offsets topic tells: the number that its
// key begins with, which Kafka has given.
type RecordType int16

// The types of records.
const (
	OldOffset            RecordType = 0
	OffsetRecord         RecordType = 1
	ClassicGroup         RecordType = 2
	ConsumerGroup        RecordType = 3
	ConsumerTopics       RecordType = 4 // written by Kafka before 4.1
	ConsumerMember       RecordType = 5
	ConsumerTarget       RecordType = 6
	ConsumerMemberTarget RecordType = 7
	ConsumerCurrent      RecordType = 8
	ShareMember          RecordType = 10
	ShareGroup           RecordType = 11
	ShareTarget          RecordType = 12
	ShareMemberTarget    RecordType = 13
	ShareCurrent         RecordType = 14
	SharePartitions      RecordType = 15
	ConsumerRegex        RecordType = 16
	StreamsGroup         RecordType = 17
	StreamsTopics        RecordType = 18 // written by previews of Kafka 4.1
	StreamsMember        RecordType = 19
	StreamsTarget        RecordType = 20
	StreamsMemberTarget  RecordType = 21
	StreamsCurrent       RecordType = 22
	StreamsTopology      RecordType = 23
)

// Kind is the kind of groups that have such records. ok is false for types that
// nobody has given yet. Offsets belong to groups of any kind: of them it is
// Classic.
func (t RecordType) Kind() (k Kind, ok bool) {
	switch {
	case t >= OldOffset && t <= ClassicGroup:
		return Classic, true
	case t >= ConsumerGroup && t <= ConsumerCurrent, t == ConsumerRegex:
		return Consumer, true
	case t >= ShareMember && t <= SharePartitions:
		return Share, true
	case t >= StreamsGroup && t <= StreamsTopology:
		return Streams, true
	}
	return Classic, false
}

// Ends says that the group is gone when a record of this type is a tombstone.
func (t RecordType) Ends() bool {
	return t == ConsumerGroup || t == ShareGroup || t == StreamsGroup
}
