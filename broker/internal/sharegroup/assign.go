package sharegroup

import (
	"slices"

	"github.com/leatstream/leat/broker/internal/assignor"
)

// simple assigns every partition to at least one of the members that subscribe to
// its topic, and at least one partition to every member. If there are fewer
// partitions than members, these share them as evenly as they can. Members keep
// what they had as far as that goes.
func simple(members []assignor.Member, partitions map[assignor.ID]int32) map[string]assignor.Assignment {
	// First as if each partition had one member; that leaves none out, and members
	// only if there are more of them than partitions.
	out := assignor.Uniform(members, partitions)
	load := map[partition]int{}
	for _, a := range out {
		for id, ps := range a {
			for _, p := range ps {
				load[partition{id, p}]++
			}
		}
	}
	idle := slices.DeleteFunc(slices.Clone(members), func(m assignor.Member) bool { return len(out[m.ID]) > 0 })
	// In a fixed order, so that the same members make the same assignment.
	slices.SortFunc(idle, func(a, b assignor.Member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	give := func(m assignor.Member, p partition) {
		out[m.ID] = assignor.Assignment{p.topic: {p.index}}
		load[p]++
	}
	// Who had a partition that isn't more in demand than others stays there.
	idle = slices.DeleteFunc(idle, func(m assignor.Member) bool {
		least, ok := leastOf(m, partitions, load)
		if !ok {
			return true // it wants nothing that there is
		}
		for _, id := range m.Had.IDs() {
			for _, p := range m.Had[id] {
				had := partition{id, p}
				if m.Topics[id] && p < partitions[id] && load[had] <= load[least] {
					give(m, had)
					return true
				}
			}
		}
		return false
	})
	for _, m := range idle {
		least, _ := leastOf(m, partitions, load)
		give(m, least)
	}
	return out
}

type partition struct {
	topic assignor.ID
	index int32
}

// leastOf is the partition with the fewest members of those that a member wants.
func leastOf(m assignor.Member, partitions map[assignor.ID]int32, load map[partition]int) (best partition, ok bool) {
	wanted := assignor.Assignment{}
	for id := range m.Topics {
		wanted[id] = nil
	}
	for _, id := range wanted.IDs() {
		for p := range partitions[id] {
			if c := (partition{id, p}); !ok || load[c] < load[best] {
				best, ok = c, true
			}
		}
	}
	return best, ok
}
