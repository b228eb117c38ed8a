package assignor

// Range gives each subscriber of a topic a run of neighbouring partitions, as
// long as those of the others or one longer. Topics with the same subscribers and
// number of partitions are divided in the same way, so that what belongs together
// comes to the same member.
func Range(members []Member, partitions map[ID]int32) map[string]Assignment {
	out := blank(members)
	ordered := inOrder(members)
	for id, count := range partitions {
		var subscribers []string
		for _, m := range ordered {
			if m.Topics[id] {
				subscribers = append(subscribers, m.ID)
			}
		}
		n := int32(len(subscribers))
		if n == 0 {
			continue
		}
		next := int32(0)
		for i, m := range subscribers {
			size := count / n
			if int32(i) < count%n {
				size++
			}
			if size > 0 {
				out[m][id] = run(next, next+size)
			}
			next += size
		}
	}
	return out
}

// blank is an assignment of nothing to everybody.
func blank(members []Member) map[string]Assignment {
	out := make(map[string]Assignment, len(members))
	for _, m := range members {
		out[m.ID] = Assignment{}
	}
	return out
}

// run is the numbers from lo to before hi.
func run(lo, hi int32) []int32 {
	ps := make([]int32, 0, hi-lo)
	for p := lo; p < hi; p++ {
		ps = append(ps, p)
	}
	return ps
}
