package topology

import (
	"slices"
	"strings"
)

// Names are the names on the broker of what a source topic stands for: one, or
// for a pattern those that match it among the topics with a count, sorted.
func (t *Topic) Names(app string, counts Counts) []string {
	if t.Pattern == nil {
		return []string{t.Physical(app)}
	}
	var names []string
	for name := range counts {
		if t.Matches(app, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Matches reports whether a topic is one of those that a pattern stands for.
// Topics of the broker's own and internal topics of the app never are.
func (t *Topic) Matches(app, name string) bool {
	if t.Pattern == nil || !t.Pattern.MatchString(name) || strings.HasPrefix(name, "__") {
		return false
	}
	rest, mine := strings.CutPrefix(name, app+"-")
	return !mine || !strings.HasSuffix(rest, "-changelog") && !strings.HasSuffix(rest, "-repartition")
}

// count is the number of partitions, the largest if there are several topics.
func (t *Topic) count(app string, counts Counts) int {
	n := 0
	for _, name := range t.Names(app, counts) {
		n = max(n, counts[name])
	}
	return n
}

// HasPatterns reports whether a source stands for topics yet to be found.
func (g *Graph) HasPatterns() bool {
	return slices.ContainsFunc(g.Topics, func(t *Topic) bool { return t.Pattern != nil })
}

// checkPatterns reports patterns where one topic is needed, and topics that would
// be read twice.
func (g *Graph) checkPatterns() (errs []error) {
	for _, n := range g.Nodes {
		if n.Topic == nil || n.Topic.Pattern == nil || n.Kind == Sink {
			continue // a sink knows best whether it can do with a pattern
		}
		if n.Kind != Source || len(n.Stores) > 0 {
			errs = append(errs, &BuildError{n.At, n.Op + " needs one topic, but " + n.Topic.Name + " is a pattern; declare the topic with topic.New"})
			continue
		}
		for _, other := range g.Nodes {
			if (other.Kind == Source || other.Kind == Global) && other.Topic.Role == External && other.Topic.Pattern == nil && n.Topic.Matches("", other.Topic.Name) {
				errs = append(errs, &BuildError{n.At, "the pattern " + n.Topic.Name + " matches topic " + other.Topic.Name + ", which is read at " + other.At + " by its name; let the pattern leave it out, or read it here only"})
			}
		}
	}
	return errs
}

// expand puts the topics that patterns match among the given ones into counts.
func (g *Graph) expand(app string, external, counts Counts) error {
	of := map[string]*Topic{}
	for _, n := range g.Nodes {
		if n.Kind != Source || n.Topic.Pattern == nil {
			continue
		}
		for _, name := range n.Topic.Names(app, external) {
			if t := of[name]; t != nil && t != n.Topic {
				return &CountError{n, "topic " + name + " matches this pattern and " + t.Name + " too, and can be read once only"}
			}
			of[name] = n.Topic
			counts[name] = external[name]
		}
	}
	return nil
}
