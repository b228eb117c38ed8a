package assignor

import (
	"cmp"
	"maps"
	"slices"
)

// Uniform gives all members as many partitions as it can, and moves as few as it
// can from where they were. If all subscribe to the same topics nobody has more
// than one partition more than another; otherwise no partition could move to a
// subscriber of its topic that has two less.
func Uniform(members []Member, partitions map[ID]int32) map[string]Assignment {
	u := uniform{partitions: partitions, owner: map[ID][]int{}, subscribers: map[ID][]int{}}
	u.members = inOrder(members)
	u.load = make([]int, len(u.members))
	for i, m := range u.members {
		for id := range m.Topics {
			u.subscribers[id] = append(u.subscribers[id], i)
		}
	}
	u.topics = u.order()
	u.keep()
	u.fill()
	for len(u.members) > 0 && u.level() {
	}
	return u.result()
}

// uniform is an assignment in work. Members are their indexes.
type uniform struct {
	members     []Member
	partitions  map[ID]int32
	topics      []ID // with subscribers; those with few of them first
	subscribers map[ID][]int
	owner       map[ID][]int // by partition; nobody is -1
	load        []int        // partitions of each member
}

// order lists the topics. Those that few can take come first, while these have
// room.
func (u *uniform) order() []ID {
	ids := sortedIDs(maps.Keys(u.partitions))
	ids = slices.DeleteFunc(ids, func(id ID) bool { return len(u.subscribers[id]) == 0 })
	slices.SortStableFunc(ids, func(a, b ID) int { return cmp.Compare(len(u.subscribers[a]), len(u.subscribers[b])) })
	return ids
}

// keep lets members have what they had, if they still want it.
func (u *uniform) keep() {
	for _, id := range u.topics {
		owner := slices.Repeat([]int{-1}, int(u.partitions[id]))
		u.owner[id] = owner
		for _, i := range u.subscribers[id] {
			for _, p := range u.members[i].Had[id] {
				if p >= 0 && int(p) < len(owner) && owner[p] < 0 {
					owner[p] = i
					u.load[i]++
				}
			}
		}
	}
}

// fill gives what nobody has to the subscriber with the least.
func (u *uniform) fill() {
	for _, id := range u.topics {
		for p, i := range u.owner[id] {
			if i < 0 {
				least := u.least(id)
				u.owner[id][p] = least
				u.load[least]++
			}
		}
	}
}

// least is the subscriber of a topic that has the fewest partitions.
func (u *uniform) least(id ID) int {
	best := u.subscribers[id][0]
	for _, i := range u.subscribers[id] {
		if u.load[i] < u.load[best] {
			best = i
		}
	}
	return best
}

// level moves partitions to subscribers that have two less than their owners. It
// takes from those with the most first, one of each in turn, so that nobody is
// left with less than its share; and the last partitions first. Each move brings
// the loads closer, so there is an end. It reports whether it moved any.
func (u *uniform) level() bool {
	moved := false
	for most := slices.Max(u.load); most > 1; most-- {
		for _, id := range u.topics {
			moved = u.take(id, most) || moved
		}
	}
	return moved
}

// take moves partitions of a topic away from owners with the given load.
func (u *uniform) take(id ID, load int) bool {
	moved := false
	owner, least := u.owner[id], u.least(id)
	for p := len(owner) - 1; p >= 0 && load >= u.load[least]+2; p-- {
		if u.load[owner[p]] != load {
			continue
		}
		u.load[owner[p]]--
		u.load[least]++
		owner[p] = least
		least = u.least(id)
		moved = true
	}
	return moved
}

func (u *uniform) result() map[string]Assignment {
	out := blank(u.members)
	for id, owners := range u.owner {
		for p, i := range owners {
			a := out[u.members[i].ID]
			a[id] = append(a[id], int32(p))
		}
	}
	return out
}
