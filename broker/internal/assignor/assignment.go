package assignor

import (
	"bytes"
	"maps"
	"slices"
)

// ID is a topic's id.
type ID = [16]byte

// Assignment is partitions, in ascending order, by their topic's id. A topic
// without partitions isn't in it.
type Assignment map[ID][]int32

// Equal says whether two assignments have the same partitions.
func (a Assignment) Equal(b Assignment) bool {
	return maps.EqualFunc(a, b, slices.Equal[[]int32])
}

// Has says whether the partition is in the assignment.
func (a Assignment) Has(id ID, p int32) bool {
	_, ok := slices.BinarySearch(a[id], p)
	return ok
}

// Count is the number of partitions.
func (a Assignment) Count() int {
	n := 0
	for _, ps := range a {
		n += len(ps)
	}
	return n
}

// IDs are the topics' ids, in order.
func (a Assignment) IDs() []ID { return sortedIDs(maps.Keys(a)) }

func sortedIDs(ids func(func(ID) bool)) []ID {
	return slices.SortedFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
}

// Member is a member of a group, as assignors see it.
type Member struct {
	ID string
	// Instance is the instance id of a static member, or "".
	Instance string
	// Topics are the topics it subscribes to.
	Topics map[ID]bool
	// Had is the assignment that it was given last.
	Had Assignment
}

// inOrder sorts members: the static ones first, by their instance ids, so that a
// restart changes nothing for them.
func inOrder(members []Member) []Member {
	return slices.SortedFunc(slices.Values(members), func(a, b Member) int {
		switch {
		case a.Instance != "" && b.Instance != "":
			return compare(a.Instance, b.Instance)
		case a.Instance != "":
			return -1
		case b.Instance != "":
			return 1
		}
		return compare(a.ID, b.ID)
	})
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Func is an assignor: it assigns the partitions of topics, of which it is given
// the numbers, to members that subscribe to them.
type Func func(members []Member, partitions map[ID]int32) map[string]Assignment

// The names of the assignors, as clients ask for them.
const (
	UniformName = "uniform"
	RangeName   = "range"
)

// ByName finds an assignor for groups whose partitions have one owner each.
func ByName(name string) (Func, bool) {
	switch name {
	case UniformName:
		return Uniform, true
	case RangeName:
		return Range, true
	}
	return nil, false
}
