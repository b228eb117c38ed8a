package main

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

func (b *builder) stream(op *operator) (any, error) {
	key, value := serde.Serde[*datum](typed(op.Key)), serde.Serde[*datum](typed(op.Value))
	opts, stamp, err := extractor(op.TimestampExtractor)
	if err != nil {
		return nil, err
	}
	var from []topic.Topic[*datum, *datum]
	for _, name := range append(op.Topics, op.Topic) {
		if name != "" {
			from = append(from, topic.New(name, key, value, opts...))
		}
	}
	if op.Pattern != "" {
		from = append(from, topic.Matching(op.Pattern, key, value, opts...))
	}
	for i := range from {
		if stamp != nil {
			from[i] = from[i].TimestampedBy(stamp)
		}
	}
	return streamNode{Stream: b.b.Stream(from[0], from[1:]...)}, nil
}

// extractor is the topic's options and function for a timestamp extractor.
func extractor(name string) ([]topic.Option, func(k, v *datum, at topic.Stamp) time.Time, error) {
	if name == "" {
		return nil, nil, nil
	}
	var opts []topic.Option
	switch name {
	case "fromValue", "fromValueSkip":
	case "fromValuePartitionTime":
		opts = append(opts, topic.PartitionTimes())
	default:
		return nil, nil, unsupported("timestampExtractor %s", name)
	}
	return opts, func(_, v *datum, _ topic.Stamp) time.Time {
		n := v
		if n.is(text) {
			n = parseInt(v)
		}
		if n == nil {
			return time.Time{}
		}
		return time.UnixMilli(n.int)
	}, nil
}

// input is the types of a topic that the case sends to.
func (b *builder) input(name string) (source, bool) {
	if in, ok := b.inputs[name]; ok {
		return in, true
	}
	for _, op := range b.c.Topology {
		if op.Pattern != "" && regexp.MustCompile("^(?:"+op.Pattern+")$").MatchString(name) {
			return source{op.Key, op.Value}, true
		}
	}
	return source{}, false
}

// topicFuncs say where a record goes.
var topicFuncs = map[string]func(k, v *datum) string{
	"keyFirstChar": func(k, _ *datum) string {
		if k == nil {
			return "null"
		}
		return firstChar(k).String()
	},
	"parity": func(_, v *datum) string { return parity(v).String() },
}

// toTopics is a sink that chooses a topic for each record.
func (b *builder) toTopics(op *operator, in streamNode) error {
	f, err := function(topicFuncs, op.TopicFn)
	if err != nil {
		return err
	}
	family := topic.Matching(regexp.QuoteMeta(op.Prefix)+".*", serde.Serde[*datum](tagged{}), serde.Serde[*datum](tagged{}))
	in.ToTopics(family, func(k, v *datum) string {
		name := op.Prefix + f(k, v)
		if !slices.Contains(b.sinks, name) {
			b.sinks = append(b.sinks, name)
		}
		return name
	})
	return nil
}

// split makes a node for each branch, named after it.
func (b *builder) split(op *operator, in streamNode) error {
	split := in.Branch()
	for i, br := range op.Branches {
		f, err := function(predicates, br.Fn)
		if err != nil {
			return err
		}
		if br.Name == "" {
			br.Name = strconv.Itoa(i + 1)
		}
		if err := b.branch(op.ID, br, streamNode{split.When(br.Name, f), in.rekeyed}); err != nil {
			return err
		}
	}
	br, ok, err := defaultBranch(op)
	if !ok || err != nil {
		return err
	}
	if br.Name == "" {
		br.Name = "0"
	}
	return b.branch(op.ID, br, streamNode{split.Otherwise(br.Name), in.rekeyed})
}

func (b *builder) branch(id string, br branch, n streamNode) error {
	if br.ConsumerTo != "" {
		n.To(b.sink(br.ConsumerTo, ""))
		return nil
	}
	if br.Chain == nil {
		b.nodes[id+":"+br.Name] = n
		return nil
	}
	after, err := b.onStream(br.Chain, n)
	b.nodes[id+":"+br.Name] = after
	return err
}
