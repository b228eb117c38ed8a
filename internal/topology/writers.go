package topology

import "slices"

// Writers are the sub-topologies that write to each repartition topic, for those
// topics that a reader can wait for its writers on: not where the writers depend on
// what the reader writes, as they would wait for each other.
func Writers(subs []*Subtopology) map[*Topic][]*Subtopology {
	writers := map[*Topic][]*Subtopology{}
	for _, s := range subs {
		for _, n := range s.Sinks {
			if n.Topic != nil && n.Topic.Role == Repartition && !slices.Contains(writers[n.Topic], s) {
				writers[n.Topic] = append(writers[n.Topic], s)
			}
		}
	}
	// before are the sub-topologies whose records come to s, over any number of
	// topics.
	var before func(s *Subtopology, seen map[*Subtopology]bool)
	before = func(s *Subtopology, seen map[*Subtopology]bool) {
		for _, src := range s.Sources {
			for _, w := range writers[src.Topic] {
				if !seen[w] {
					seen[w] = true
					before(w, seen)
				}
			}
		}
	}
	for _, s := range subs {
		seen := map[*Subtopology]bool{}
		before(s, seen)
		if !seen[s] {
			continue
		}
		for _, src := range s.Sources {
			// Of a circle only: a writer that s doesn't write to may be waited for.
			for _, w := range writers[src.Topic] {
				back := map[*Subtopology]bool{}
				before(w, back)
				if back[s] {
					delete(writers, src.Topic)
					break
				}
			}
		}
	}
	return writers
}
