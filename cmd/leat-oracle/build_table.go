package main

import (
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// tableOps is a table of whatever key.
type tableOps interface {
	apply(b *builder, op *operator) (any, error)
	join(b *builder, op *operator, other any, f joinFunc) (any, error)
}

// tableNode is a table; show makes a datum of its keys.
type tableNode[K any] struct {
	table.Table[K, *datum]
	key  serde.Serde[K]
	show func(K) *datum
	// keyed says that a stream of it is partitioned by its keys.
	keyed bool
}

func plainTable(t table.Table[*datum, *datum]) tableNode[*datum] {
	return tableNode[*datum]{t, tagged{}, sameDatum, true}
}

func windowTable(t windowedTable) tableNode[window.Key[*datum]] {
	return tableNode[window.Key[*datum]]{t, windowedKey{}, fromKey, false}
}

// with is another table with the same keys.
func (n tableNode[K]) with(t table.Table[K, *datum]) tableNode[K] {
	n.Table = t
	return n
}

func (b *builder) table(op *operator) (any, error) {
	if op.VersionedHistoryMs != nil {
		return b.versionedTable(op), nil
	}
	from := topic.New(op.Topic, serde.Serde[*datum](typed(op.Key)), serde.Serde[*datum](typed(op.Value)))
	return plainTable(emits(b, op, b.b.Table(from, b.store(op.Store, "table")))), nil
}

func (n tableNode[K]) apply(b *builder, op *operator) (any, error) {
	switch op.Op {
	case "filter", "filterNot":
		f, err := function(predicates, op.Fn)
		pass := func(k K, v *datum) bool { return f(n.show(k), v) }
		if op.Op == "filterNot" {
			return b.materialized(op, n, n.FilterNot(pass), err)
		}
		return b.materialized(op, n, n.Filter(pass), err)
	case "mapValues":
		if op.FnKey != "" {
			f, err := function(valueKeyFuncs, op.FnKey)
			return b.materialized(op, n, n.MapValuesWithKey(func(k K, v *datum) *datum { return f(n.show(k), v) }), err)
		}
		f, err := function(valueFuncs, op.Fn)
		return b.materialized(op, n, n.MapValues(f), err)
	case "toStream":
		return n.toStream(op)
	case "suppress":
		return n.suppress(b, op)
	case "to":
		n.To(topic.New(op.Topic, n.key, b.sink(op.Topic, op.ValueType).Value()))
		return nil, nil
	case "groupBy":
		f, err := function(tableMaps, op.Fn)
		if err != nil {
			return nil, err
		}
		return tableGroupedNode{n.GroupBy(func(k K, v *datum) (*datum, *datum) { return f(n.show(k), v) }, b.via(op))}, nil
	case "transformValues":
		if op.Fn == "changeCounter" {
			return b.countChanges(op, n)
		}
		// Without a store it is a function of the row.
		return b.materialized(op, n, n.MapValuesWithKey(func(k K, v *datum) *datum { return str(n.show(k).String() + ":" + v.String()) }), nil)
	}
	return nil, unsupported("table %s", op.Op)
}

func (n tableNode[K]) toStream(op *operator) (any, error) {
	changes := n.Apply(stream.Changes).MapValues(flat)
	show := n.show
	out := streamNode{rekeyed: true}
	if same, ok := any(changes).(stream.Stream[*datum, *datum]); ok {
		out = streamNode{same, false}
	} else {
		out.Stream = changes.SelectKey(func(k K, _ *datum) *datum { return show(k) })
	}
	if op.Fn == "" {
		return out, nil
	}
	f, err := function(keyFuncs, op.Fn)
	return streamNode{out.SelectKey(f), true}, err
}

// flat takes the pointer away that Changes puts around every value.
func flat(v **datum) *datum {
	if v == nil {
		return nil
	}
	return *v
}

// tableGroupedNode is a grouped table.
type tableGroupedNode struct {
	table.Grouped[*datum, *datum]
}

func (b *builder) onTableGrouped(op *operator, in tableGroupedNode) (any, error) {
	g := in.Grouped
	if !b.cached(op) {
		g = g.EmitOnUpdate()
	}
	switch op.Op {
	case "count":
		return b.counted(op, g.Count), nil
	case "reduce":
		add, err := function(reduceFuncs, op.Fn)
		if err != nil {
			return nil, err
		}
		sub, err := function(reduceFuncs, op.Sub)
		return plainTable(g.Reduce(b.store(op.Store, "reduce"), add, sub)), err
	case "aggregate":
		add, err := function(aggFuncs, op.Agg)
		if err != nil {
			return nil, err
		}
		sub, err := function(aggFuncs, op.Sub)
		if err != nil {
			return nil, err
		}
		init, err := function(inits, op.Init)
		return plainTable(g.Aggregate(b.store(op.Store, "aggregate"), func() *datum { return init }, add, sub)), err
	}
	return nil, unsupported("%s of a grouped table", op.Op)
}

// materialized is the table t, made from n, with a store of its own if the case
// wants one.
func (b *builder) materialized(op *operator, n, t any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	switch n := n.(type) {
	case tableNode[*datum]:
		out := t.(table.Table[*datum, *datum])
		if op.Store != "" {
			out = emits(b, op, out.Materialize(b.store(op.Store, "")))
		}
		return n.with(out), nil
	case tableNode[window.Key[*datum]]:
		out := t.(windowedTable)
		if op.Store != "" {
			st := state.New(op.Store, serde.Serde[window.Key[*datum]](windowedKey{}), serde.Serde[*datum](tagged{}))
			b.dumps[op.Store] = dumpKV(st, false, fromKey, sameDatum)
			out = emits(b, op, out.Materialize(st))
		}
		return n.with(out), nil
	}
	return nil, nil
}
