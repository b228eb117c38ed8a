package main

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

// globalNode is a global table.
type globalNode struct {
	stream.GlobalTable[*datum, *datum]
}

func (b *builder) global(op *operator) (any, error) {
	from := topic.New(op.Topic, serde.Serde[*datum](typed(op.Key)), serde.Serde[*datum](typed(op.Value)))
	t := b.b.GlobalTable(from)
	if op.Store != "" {
		b.dumps[op.Store] = b.dumpGlobal(from, t)
	}
	return globalNode{t}, nil
}

// dumpGlobal reads a global table by joining it with every key that its topic
// has: leat gives no other view of it. Nor does it keep the times of its rows,
// which are those of the topic's records.
func (b *builder) dumpGlobal(from topic.Topic[*datum, *datum], t stream.GlobalTable[*datum, *datum]) dump {
	var tag serde.Serde[*datum] = tagged{}
	ask, answers := topic.New(b.unique("ask"), tag, tag), topic.New(b.unique("answer"), tag, tag)
	key := func(_, v *datum) *datum { return v }
	b.b.Stream(ask).JoinGlobal(t, key, func(_, row *datum) *datum { return row }).To(answers)
	times := map[string]int64{}
	keys := []*datum{}
	return func(d *streamtest.Driver) ([]row, error) {
		for _, r := range d.Records(from) {
			if r.Key == nil {
				continue
			}
			if _, known := times[r.Key.String()]; !known {
				keys = append(keys, r.Key)
			}
			times[r.Key.String()] = r.Time.UnixMilli()
		}
		rows := []row{}
		for _, k := range keys {
			d.Send(ask, nil, k)
			for _, v := range d.Read(answers) {
				at := times[k.String()]
				rows = append(rows, row{k, v, &at})
			}
		}
		return rows, d.Err()
	}
}

// both is the two values of a join whose joiner wants the key, which leat's
// don't get: the joiner is called after the join then.
type both struct{ l, r *datum }

func pairUp(l, r *datum) *both             { return &both{l, r} }
func pairUpLeft(l, r *datum, _ bool) *both { return &both{l, r} }

func (b *builder) join(op *operator) (any, error) {
	left, ok := b.nodes[op.Left]
	if !ok {
		return nil, fmt.Errorf("there is no node %q", op.Left)
	}
	right, ok := b.nodes[op.Right]
	if !ok {
		return nil, fmt.Errorf("there is no node %q", op.Right)
	}
	if op.Op == "fkJoin" {
		return nil, unsupported("fkJoin")
	}
	if op.Type == "outer" {
		return nil, unsupported("%s outer", op.Op)
	}
	if op.Op == "tableJoin" {
		t, ok := left.(tableOps)
		if !ok {
			return nil, fmt.Errorf("%q is no table", op.Left)
		}
		return t.join(b, op, right)
	}
	f, err := function(joinFuncs, op.Joiner)
	if err != nil {
		return nil, err
	}
	l, ok := left.(streamNode)
	if !ok {
		return nil, fmt.Errorf("%q is no stream", op.Left)
	}
	var joined stream.Stream[*datum, *both]
	switch r := right.(type) {
	case streamNode:
		joined = b.joinStreams(op, l, r)
		l.rekeyed = false
	case tableNode[*datum]:
		if op.GraceMs != nil {
			return nil, unsupported("streamTableJoin with grace")
		}
		s := b.partitioned(l)
		l.rekeyed = false
		if op.Type == "left" {
			joined = s.LeftJoinTable(r.Table, pairUpLeft)
		} else {
			joined = s.JoinTable(r.Table, pairUp)
		}
	case globalNode:
		key, err := function(keyFuncs, op.KeyFn)
		if err != nil {
			return nil, err
		}
		if op.Type == "left" {
			joined = l.LeftJoinGlobal(r.GlobalTable, key, pairUpLeft)
		} else {
			joined = l.JoinGlobal(r.GlobalTable, key, pairUp)
		}
	default:
		return nil, unsupported("%s with a %T", op.Op, right)
	}
	return streamNode{joined.MapValuesWithKey(func(k *datum, p *both) *datum { return f(k, p.l, p.r) }), l.rekeyed}, nil
}

func (b *builder) joinStreams(op *operator, l, r streamNode) stream.Stream[*datum, *both] {
	w := window.Within(0).Before(ms(op.Window.BeforeMs)).After(ms(op.Window.AfterMs)).Grace(ms(op.Window.GraceMs))
	any := serde.Serde[*datum](tagged{})
	as := state.NewJoin(b.unique("join"), any, any, any)
	left := b.partitioned(l)
	right := left
	if op.Left != op.Right {
		right = b.partitioned(r)
	}
	if op.Type == "left" {
		return left.LeftJoin(right, w, as, pairUpLeft)
	}
	return left.Join(right, w, as, pairUp)
}

func (n tableNode[K]) join(b *builder, op *operator, other any) (any, error) {
	f, err := function(joinFuncs, op.Joiner)
	if err != nil {
		return nil, err
	}
	right, ok := other.(tableNode[K])
	if !ok {
		return nil, fmt.Errorf("tables of different keys")
	}
	if op.Joiner == "pairKey" {
		keyed := func(k K, p *both) *datum { return f(n.show(k), p.l, p.r) }
		if op.Type == "left" {
			return b.materialized(op, n, n.LeftJoin(right.Table, pairUpLeft).MapValuesWithKey(keyed), nil)
		}
		return b.materialized(op, n, n.Join(right.Table, pairUp).MapValuesWithKey(keyed), nil)
	}
	if op.Type == "left" {
		return b.materialized(op, n, n.LeftJoin(right.Table, func(l, r *datum, _ bool) *datum { return f(nil, l, r) }), nil)
	}
	return b.materialized(op, n, n.Join(right.Table, func(l, r *datum) *datum { return f(nil, l, r) }), nil)
}
