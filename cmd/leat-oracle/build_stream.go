package main

import (
	"fmt"
	"iter"
	"slices"

	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/table"
)

// streamNode is a stream. rekeyed says that leat wants it to be repartitioned
// before its key is relied on, which Kafka Streams does by itself.
type streamNode struct {
	stream.Stream[*datum, *datum]
	rekeyed bool
}

func (b *builder) merge(op *operator) (any, error) {
	var ins []streamNode
	for _, id := range op.From {
		n, _ := b.feeds(id, op)
		in, ok := n.(streamNode)
		if !ok {
			return nil, fmt.Errorf("%q is no stream", id)
		}
		ins = append(ins, in)
	}
	n := ins[0]
	var others []stream.Stream[*datum, *datum]
	for _, in := range ins[1:] {
		others = append(others, in.Stream)
		n.rekeyed = n.rekeyed || in.rekeyed
	}
	n.Stream = n.Merge(others...)
	return n, nil
}

// partitioned is a stream that is partitioned by its key.
func (b *builder) partitioned(n streamNode) stream.Stream[*datum, *datum] {
	if !n.rekeyed {
		return n.Stream
	}
	return n.Repartition(b.via(&operator{}))
}

func (b *builder) onStream(op *operator, in streamNode) (any, error) {
	switch op.Op {
	case "filter", "filterNot", "mapValues", "flatMapValues", "peek", "foreach":
		return b.keeping(op, in)
	case "map", "flatMap", "selectKey":
		return rekeying(op, in)
	case "repartition":
		if b.relaxed(op.ID) {
			return streamNode{in.RepartitionAll(b.via(op)), false}, nil
		}
		return streamNode{in.Repartition(b.via(op)), false}, nil
	case "to":
		if op.TopicFn != "" {
			return nil, b.toTopics(op, in)
		}
		in.To(b.sink(op.Topic, op.ValueType))
		return nil, nil
	case "toTable":
		return plainTable(emits(b, op, b.partitioned(in).ToTable(b.store(op.Store, "table")))), nil
	case "split":
		return nil, b.split(op, in)
	case "groupByKey":
		return groupedNode{b.partitioned(in).GroupByKey()}, nil
	case "groupBy":
		f, err := function(keyFuncs, op.Fn)
		if err != nil {
			return nil, err
		}
		return groupedNode{in.GroupBy(f, b.via(op))}, nil
	case "process", "processValues":
		return b.process(op, in)
	}
	return nil, unsupported("stream %s", op.Op)
}

// keeping is the operators that leave the key alone.
func (b *builder) keeping(op *operator, in streamNode) (any, error) {
	out := streamNode{rekeyed: in.rekeyed}
	switch op.Op {
	case "filter", "filterNot":
		f, err := function(predicates, op.Fn)
		if err != nil {
			return nil, err
		}
		if op.Op == "filter" {
			out.Stream = in.Filter(f)
		} else {
			out.Stream = in.FilterNot(f)
		}
	case "mapValues":
		if op.FnKey != "" {
			f, err := function(valueKeyFuncs, op.FnKey)
			out.Stream = in.MapValuesWithKey(f)
			return out, err
		}
		f, err := function(valueFuncs, op.Fn)
		out.Stream = in.MapValues(f)
		return out, err
	case "flatMapValues":
		if op.FnKey == "keyThenValue" {
			out.Stream = in.FlatMapValuesWithKey(func(k, v *datum) iter.Seq[*datum] {
				return slices.Values([]*datum{str(k.String()), str(v.String())})
			})
			return out, nil
		}
		f, err := function(flatValueFuncs, op.Fn)
		out.Stream = in.FlatMapValues(func(v *datum) iter.Seq[*datum] { return slices.Values(f(v)) })
		return out, err
	case "peek":
		out.Stream = in.Peek(func(k, v *datum) { b.peek(op.ID, k, v) })
	case "foreach":
		in.Foreach(func(k, v *datum) { b.peek("foreach", k, v) })
		return nil, nil
	}
	return out, nil
}

func rekeying(op *operator, in streamNode) (any, error) {
	switch op.Op {
	case "map":
		f, err := function(mapFuncs, op.Fn)
		return streamNode{in.Map(f), true}, err
	case "selectKey":
		f, err := function(keyFuncs, op.Fn)
		return streamNode{in.SelectKey(f), true}, err
	}
	f, err := function(flatMapFuncs, op.Fn)
	return streamNode{in.FlatMap(func(k, v *datum) iter.Seq2[*datum, *datum] {
		return func(yield func(k, v *datum) bool) {
			for _, p := range f(k, v) {
				if !yield(p.k, p.v) {
					return
				}
			}
		}
	}), true}, err
}

// groupedNode is a grouped stream.
type groupedNode struct {
	stream.Grouped[*datum, *datum]
}

func (b *builder) onGrouped(op *operator, in groupedNode) (any, error) {
	if op.Op == "windowedBy" {
		return b.windowedBy(op, in)
	}
	g := in.Grouped
	if !b.cached(op) {
		g = g.EmitOnUpdate()
	}
	switch op.Op {
	case "count":
		return b.counted(op, g.Count), nil
	case "reduce":
		f, err := function(reduceFuncs, op.Fn)
		if err != nil {
			return nil, err
		}
		return plainTable(g.Reduce(b.store(op.Store, "reduce"), f)), nil
	case "aggregate":
		f, err := function(aggFuncs, op.Agg)
		if err != nil {
			return nil, err
		}
		init, err := function(inits, op.Init)
		return plainTable(g.Aggregate(b.store(op.Store, "aggregate"), func() *datum { return init }, f)), err
	}
	return nil, unsupported("%s of a grouped stream", op.Op)
}

// counted is a table of counts, as one of data.
func (b *builder) counted(op *operator, count func(countStore) table.Table[*datum, int64]) any {
	return plainTable(count(b.countStore(op, false)).MapValues(num))
}
