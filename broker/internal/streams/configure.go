package streams

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/leatstream/leat/broker/internal/assignor"
	"github.com/leatstream/leat/broker/internal/group"
)

// The statuses that members are told, by Kafka's numbers. A heartbeat with a status
// is no error: the member stays, and has no tasks until what is wrong is mended.
// What it does about it is the client's affair: it fails for topics of the user's
// that are missing or don't fit, and waits for the others.
const (
	staleTopology          int8 = 0 // the member's topology is older than the group's
	missingSourceTopics    int8 = 1 // topics of the user's
	incorrectlyPartitioned int8 = 2 // topics that are joined, or internal ones
	missingInternalTopics  int8 = 3 // until somebody makes them
	shutdownApplication    int8 = 4 // a member wants all to stop
	assignmentDelayed      int8 = 5 // tasks come with a later heartbeat
)

// MissingInternalTopics is the status for internal topics that have to be made.
const MissingInternalTopics = missingInternalTopics

// status is something that keeps a group from working.
type status struct {
	code   int8
	detail string
}

func (s *status) Error() string { return s.detail }

func statusf(code int8, format string, args ...any) *status {
	return &status{code, fmt.Sprintf(format, args...)}
}

// NewTopic is an internal topic to be made.
type NewTopic struct {
	Name       string
	Partitions int32
	Configs    map[string]string
}

// configured is a topology with the topics there are. It is not stored: it follows
// from the topology's record and the topics, and is made again when one of them
// changes.
type configured struct {
	subs    []assignor.Subtopology // nil if their tasks can't be counted
	missing []NewTopic
	trouble *status // nil if tasks can be assigned
}

// configure counts the tasks of a topology, and finds what is missing for them.
func configure(t *topology, topics group.Topics) *configured {
	c := &configuring{topics: topics, internal: map[string]topicInfo{}, counts: map[string]int32{}}
	if err := c.run(t); err != nil {
		return &configured{trouble: err}
	}
	out := &configured{}
	for _, s := range t.subs {
		// Task n reads partition n of each input, so there are as many as the largest
		// input has partitions. Only what has a changelog is worth a standby.
		sub := assignor.Subtopology{Name: s.name, Stateful: len(s.changelogs) > 0}
		for _, name := range s.inputs() {
			sub.Tasks = max(sub.Tasks, c.counts[name])
		}
		out.subs = append(out.subs, sub)
	}
	if out.missing, out.trouble = c.missing(); out.trouble != nil {
		out.subs = nil
		return out
	}
	if len(out.missing) > 0 {
		var names []string
		for _, m := range out.missing {
			names = append(names, m.Name)
		}
		out.trouble = statusf(missingInternalTopics, "Internal topics are missing: %s", few(names))
	}
	return out
}

// inputs lists the topics that a sub-topology's tasks read.
func (s *subtopology) inputs() []string {
	names := slices.Clone(s.sources)
	for _, r := range s.repartitionSources {
		names = append(names, r.name)
	}
	return names
}

// few is some of the names, for a message.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s, ... (%d topics)", strings.Join(names[:most], ", "), len(names))
}

// configuring is a configuration in work.
type configuring struct {
	topics   group.Topics
	internal map[string]topicInfo
	counts   map[string]int32 // of the partitions of all topics, as far as they are known
}

// run counts the partitions of all topics. The order matters: repartition topics
// follow from the user's, those that are joined with others from these, and
// changelogs from all of them.
func (c *configuring) run(t *topology) *status {
	var absent []string
	for _, s := range t.subs {
		for _, name := range s.sources {
			if topic, ok := c.topics.Topic(name); ok {
				c.counts[name] = topic.Partitions
			} else if !slices.Contains(absent, name) {
				absent = append(absent, name)
			}
		}
		for _, infos := range [][]topicInfo{s.repartitionSources, s.changelogs} {
			for _, i := range infos {
				c.internal[i.name] = i
				if i.partitions > 0 { // the user has said so (Repartitioned)
					c.counts[i.name] = i.partitions
				}
			}
		}
	}
	if len(absent) > 0 {
		slices.Sort(absent)
		return statusf(missingSourceTopics, "Source topics %s are missing.", few(absent))
	}
	if err := c.countRepartitions(t); err != nil {
		return err
	}
	if err := c.copartition(t); err != nil {
		return err
	}
	for _, s := range t.subs {
		// A changelog has a partition for each task, so it follows from the inputs
		// alone.
		for _, info := range s.changelogs {
			c.counts[info.name] = 0
		}
		for _, info := range s.changelogs {
			for _, name := range s.inputs() {
				c.counts[info.name] = max(c.counts[info.name], c.counts[name])
			}
		}
	}
	return nil
}

// countRepartitions gives each repartition topic as many partitions as the largest
// topic that is read by whoever writes it, which may be one of them too. They come
// in no particular order, so it takes rounds; each counts one of them at least, or
// is the last.
func (c *configuring) countRepartitions(t *topology) *status {
	for {
		progress, open := false, ""
		for _, s := range t.subs {
			for _, info := range s.repartitionSources {
				if c.counts[info.name] > 0 {
					continue
				}
				if n := c.upstream(t, info.name); n > 0 {
					c.counts[info.name], progress = n, true
				} else {
					open = info.name
				}
			}
		}
		switch {
		case open == "":
			return nil
		case !progress:
			return statusf(missingSourceTopics, "Failed to compute number of partitions for all repartition topics, make sure all user input topics are created and all Pattern subscriptions match at least one topic in the cluster: %s", open)
		}
	}
}

// upstream is the most partitions of what writers of a topic read, 0 if that isn't
// known yet.
func (c *configuring) upstream(t *topology, name string) int32 {
	var n int32
	for _, s := range t.subs {
		if !slices.Contains(s.repartitionSinks, name) {
			continue
		}
		for _, input := range s.inputs() {
			n = max(n, c.counts[input])
		}
	}
	return n
}

// copartition sees to it that topics which are joined have as many partitions:
// those of the user's must, since nobody but the user may change them, and the
// others follow. Records of a key would else be in different tasks.
func (c *configuring) copartition(t *topology) *status {
	for _, s := range t.subs {
		for _, g := range s.copartitioned {
			if err := c.copartitionGroup(&s, g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *configuring) copartitionGroup(s *subtopology, g copartitioned) *status {
	counts := map[string]int32{} // of those that can't change
	var loose []string
	for _, i := range g.sources {
		counts[s.sources[i]] = c.counts[s.sources[i]]
	}
	for _, i := range g.repartitionSources {
		if info := s.repartitionSources[i]; info.partitions > 0 {
			counts[info.name] = info.partitions
		} else {
			loose = append(loose, info.name)
		}
	}
	var n int32
	for _, name := range sortedKeys(counts) {
		if n != 0 && counts[name] != n {
			var parts []string
			for _, name := range sortedKeys(counts) {
				parts = append(parts, fmt.Sprintf("%s=%d", name, counts[name]))
			}
			return statusf(incorrectlyPartitioned, "Following topics do not have the same number of partitions: [{%s}]", strings.Join(parts, ", "))
		}
		n = counts[name]
	}
	if len(counts) == 0 { // nobody is bound: the largest decides
		for _, name := range loose {
			n = max(n, c.counts[name])
		}
	}
	for _, name := range loose {
		c.counts[name] = n
	}
	return nil
}

// missing lists the internal topics that don't exist. Those that do must have the
// right number of partitions: with another, the records that are in them are not
// where their tasks look. That happens when a topic of the user's has grown, and it
// takes a reset of the application.
func (c *configuring) missing() ([]NewTopic, *status) {
	var list []NewTopic
	for _, name := range slices.Sorted(maps.Keys(c.internal)) {
		want := c.counts[name]
		if have, ok := c.topics.Topic(name); ok {
			if have.Partitions != want {
				return nil, statusf(incorrectlyPartitioned, "Existing topic %s has different number of partitions: expected %d, found %d", name, want, have.Partitions)
			}
			continue
		}
		n := NewTopic{Name: name, Partitions: want, Configs: map[string]string{}}
		for _, kv := range c.internal[name].configs {
			n.Configs[kv.key] = kv.value
		}
		list = append(list, n)
	}
	return list, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
