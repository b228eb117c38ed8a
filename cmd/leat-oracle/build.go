package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/topic"
)

// row is a row of a store, as a case shows it. Rows of plain stores have no time.
type row struct {
	Key   *datum `json:"key"`
	Value *datum `json:"value"`
	TS    *int64 `json:"ts,omitempty"`
}

// builder turns a case's topology into leat's.
type builder struct {
	c      *testCase
	b      *stream.Builder
	peek   func(id string, k, v *datum)
	now    func(time.Time) int64 // the case's wall clock
	nodes  map[string]any        // streamNode, groupedNode, tableNode[K], tableGroupedNode or globalNode
	merged map[string]streamNode // what is behind the one repartition topic of a node, see feeds
	late   map[string]*operator  // see waits
	kv     map[string]state.Store[*datum, *datum]
	plain  map[string]string // type of the stores that are declared by addStore
	// declared is the stores that processors may list, beside those in kv.
	declared map[string]state.Declared
	inputs   map[string]source
	sinks    []string
	dumps    map[string]dump
	serial   int
	err      error
}

// source is the types of an input topic.
type source struct{ key, value string }

func newBuilder(c *testCase) *builder {
	b := &builder{
		c: c, nodes: map[string]any{}, merged: map[string]streamNode{}, late: map[string]*operator{}, kv: map[string]state.Store[*datum, *datum]{}, plain: map[string]string{},
		declared: map[string]state.Declared{},
		inputs:   map[string]source{}, dumps: map[string]dump{},
	}
	for _, op := range c.Topology {
		for _, name := range append(op.Topics, op.Topic) {
			if name != "" && op.Key != "" {
				b.inputs[name] = source{op.Key, op.Value}
			}
		}
	}
	return b
}

// topology is the case's topology, which answers as Kafka Streams does, or as
// leat does by default if own. A mistake in the case is in b.err.
func (b *builder) topology(own bool) (*stream.Topology, error) {
	if own {
		return stream.Build(b.build)
	}
	opts := []stream.Option{
		stream.LikeKafka(), stream.UnmatchedInterval(ms(b.c.Config.OuterJoinEmitIntervalMs)),
		stream.CloseInterval(ms(b.c.Config.WindowCloseEmitIntervalMs)),
	}
	if b.c.Config.Optimize == "all" {
		opts = append(opts, stream.SelfJoins())
	}
	return stream.Build(b.build, opts...)
}

// build adds every node of the case. The first problem is in b.err.
func (b *builder) build(sb *stream.Builder) {
	b.b = sb
	for i := range b.c.Topology {
		op := &b.c.Topology[i]
		if b.waits(op) {
			continue
		}
		if err := b.add(op); err != nil {
			b.err = fmt.Errorf("node %d, %s %s: %w", i, op.Op, op.ID, err)
			var u *unsupportedError
			if errors.As(err, &u) {
				b.err = u
			}
			return
		}
	}
}

func (b *builder) add(op *operator) error {
	var n any
	var err error
	switch op.Op {
	case "stream":
		n, err = b.stream(op)
	case "table":
		n, err = b.table(op)
	case "globalTable":
		n, err = b.global(op)
	case "addStore":
		return b.addStore(op)
	case "merge":
		n, err = b.merge(op)
	case "streamJoin", "streamTableJoin", "streamGlobalJoin", "tableJoin", "fkJoin":
		n, err = b.join(op)
	case "cogroup":
		n, err = b.cogroup(op)
	default:
		if len(op.From) != 1 {
			return fmt.Errorf("it needs one input")
		}
		in, ok := b.feeds(op.From[0], op)
		if !ok {
			return fmt.Errorf("there is no node %q", op.From[0])
		}
		n, err = b.apply(op, in)
	}
	if err == nil && n != nil && op.ID != "" {
		b.nodes[op.ID] = n
	}
	return err
}

// apply adds an operator after a node.
func (b *builder) apply(op *operator, in any) (any, error) {
	switch in := in.(type) {
	case streamNode:
		return b.onStream(op, in)
	case routedNode:
		return b.onStream(op, in.child(op.Name))
	case windowedNode:
		return b.onWindowed(op, in)
	case groupedNode:
		return b.onGrouped(op, in)
	case cogroupNode:
		return b.onCogroup(op, in)
	case tableGroupedNode:
		return b.onTableGrouped(op, in)
	case tableOps:
		return in.apply(b, op)
	}
	return nil, fmt.Errorf("no %s after a %T", op.Op, in)
}

// unique is a name for a topic or store that the case gives none.
func (b *builder) unique(kind string) string {
	b.serial++
	return fmt.Sprintf("%s-%d", kind, b.serial)
}

// via is a repartition topic.
func (b *builder) via(op *operator) topic.Topic[*datum, *datum] {
	name := op.Name
	if name == "" {
		name = b.unique("via")
	}
	return topic.New(name, serde.Serde[*datum](tagged{}), serde.Serde[*datum](tagged{}))
}

// sink declares a topic that the case writes to. Its results are read by their
// tags, unless the case reads the topic itself.
func (b *builder) sink(name, valueType string) topic.Topic[*datum, *datum] {
	b.sinks = append(b.sinks, name)
	if in, ok := b.inputs[name]; ok {
		return topic.New(name, serde.Serde[*datum](typed(in.key)), serde.Serde[*datum](typed(in.value)))
	}
	value := serde.Serde[*datum](tagged{})
	if valueType == "strictString" {
		value = strictTagged{}
	}
	return topic.New(name, serde.Serde[*datum](tagged{}), value)
}

// strictTagged fails as strictString does.
type strictTagged struct{ tagged }

// Append implements serde.Serde.
func (s strictTagged) Append(dst []byte, d *datum) ([]byte, error) {
	if _, err := typed("strictString").Append(nil, d); err != nil {
		return dst, err
	}
	return s.tagged.Append(dst, d)
}

// store declares a store, and remembers how to read it if the case names it.
func (b *builder) store(name, kind string) state.Store[*datum, *datum] {
	named := name != ""
	if !named {
		name = b.unique(kind)
	}
	var opts []state.Option
	if !named {
		// Where the case asks for no store Kafka Streams may make none.
		opts = append(opts, state.OnDemand())
	}
	st := state.New(name, serde.Serde[*datum](tagged{}), serde.Serde[*datum](tagged{}), opts...)
	b.kv[name] = st
	if named {
		b.dumps[name] = dumpKV(st, b.plain[name] == "kv", sameDatum, sameDatum)
	}
	return st
}

func sameDatum(d *datum) *datum { return d }

// function finds a function of the library.
func function[F any](library map[string]F, name string) (F, error) {
	f, ok := library[name]
	if !ok {
		return f, fmt.Errorf("there is no function %q here", name)
	}
	return f, nil
}

// cached reports whether Kafka would put a cache before the node's store, and so
// emit on commit.
func (b *builder) cached(op *operator) bool {
	if op.Cache != nil {
		return *op.Cache
	}
	return b.c.Config.Cache
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// defaultBranch is the name of a split's default branch, its operator and its
// topic; ok is false if there is none.
func defaultBranch(op *operator) (br branch, ok bool, err error) {
	if len(op.Default) == 0 || string(op.Default) == `"none"` {
		return br, false, nil
	}
	if string(op.Default) == `"auto"` {
		return br, true, nil
	}
	return br, true, json.Unmarshal(op.Default, &br)
}
