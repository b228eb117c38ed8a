package main

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/table"
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
		b.dumps[op.Store] = dumpGlobal(t)
	}
	return globalNode{t}, nil
}

func (b *builder) join(op *operator) (any, error) {
	left, ok := b.feeds(op.Left, op)
	if !ok {
		return nil, fmt.Errorf("there is no node %q", op.Left)
	}
	right, ok := b.feeds(op.Right, op)
	if !ok {
		return nil, fmt.Errorf("there is no node %q", op.Right)
	}
	f, err := function(joinFuncs, op.Joiner)
	if err != nil {
		return nil, err
	}
	if op.Op == "tableJoin" || op.Op == "fkJoin" {
		t, ok := left.(tableOps)
		if !ok {
			return nil, fmt.Errorf("%q is no table", op.Left)
		}
		return t.join(b, op, right, f)
	}
	l, ok := left.(streamNode)
	if !ok {
		return nil, fmt.Errorf("%q is no stream", op.Left)
	}
	switch r := right.(type) {
	case streamNode:
		return streamNode{b.joinStreams(op, l, r, f), false}, nil
	case tableNode[*datum]:
		return b.joinStreamTable(op, l, r, f), nil
	case globalNode:
		key, err := function(keyFuncs, op.KeyFn)
		if err != nil {
			return nil, err
		}
		if op.Type == "left" {
			return streamNode{l.LeftJoinGlobalWithKey(r.GlobalTable, key, func(k, v, row *datum, _ bool) *datum { return f(k, v, row) }), l.rekeyed}, nil
		}
		return streamNode{l.JoinGlobalWithKey(r.GlobalTable, key, f), l.rekeyed}, nil
	}
	return nil, unsupported("%s with a %T", op.Op, right)
}

func (b *builder) joinStreams(op *operator, l, r streamNode, f joinFunc) stream.Stream[*datum, *datum] {
	w := window.Within(0).Before(ms(op.Window.BeforeMs)).After(ms(op.Window.AfterMs)).Grace(ms(op.Window.GraceMs))
	any := serde.Serde[*datum](tagged{})
	as := state.NewJoin(b.unique("join"), any, any, any)
	left := b.partitionedAll(l, op.Type != "inner")
	right := left
	if op.Left != op.Right {
		right = b.partitionedAll(r, op.Type == "outer")
	}
	switch op.Type {
	case "left":
		return left.LeftJoinWithKey(right, w, as, func(k, l, r *datum, _ bool) *datum { return f(k, l, r) })
	case "outer":
		return left.OuterJoinWithKey(right, w, as, func(k, l *datum, _ bool, r *datum, _ bool) *datum { return f(k, l, r) })
	}
	return left.JoinWithKey(right, w, as, f)
}

// partitionedAll is partitioned, for records without a key too if all.
func (b *builder) partitionedAll(n streamNode, all bool) stream.Stream[*datum, *datum] {
	if all && n.rekeyed {
		return n.RepartitionAll(b.via(&operator{}))
	}
	return b.partitioned(n)
}

func (n tableNode[K]) join(b *builder, op *operator, other any, f joinFunc) (any, error) {
	if op.Op == "fkJoin" {
		right, ok := other.(tableNode[*datum])
		if !ok {
			return nil, unsupported("fkJoin with a %T", other)
		}
		return n.joinForeign(b, op, right, f)
	}
	right, ok := other.(tableNode[K])
	if !ok {
		return nil, fmt.Errorf("tables of different keys")
	}
	switch op.Type {
	case "left":
		return b.materialized(op, n, n.LeftJoinWithKey(right.Table, func(k K, l, r *datum, _ bool) *datum { return f(n.show(k), l, r) }), nil)
	case "outer":
		return b.materialized(op, n, n.OuterJoinWithKey(right.Table, func(k K, l *datum, _ bool, r *datum, _ bool) *datum { return f(n.show(k), l, r) }), nil)
	}
	return b.materialized(op, n, n.JoinWithKey(right.Table, func(k K, l, r *datum) *datum { return f(n.show(k), l, r) }), nil)
}

// joinForeign is a foreign-key join. Where the joiner wants the key, which
// neither leat's nor Kafka's gets, the values are joined by the keys that they
// were given before.
func (n tableNode[K]) joinForeign(b *builder, op *operator, right tableNode[*datum], f joinFunc) (any, error) {
	fk, err := n.foreignKey(op)
	if err != nil {
		return nil, err
	}
	any := serde.Serde[*datum](tagged{})
	via := state.NewForeign(b.unique("fk"), n.key, any, b.rowSerde(op.Right))
	name := op.Store
	var opts []state.Option
	if name == "" {
		name = b.unique("fk-result")
		opts = append(opts, state.OnDemand())
	}
	as := state.New(name, n.key, any, opts...)
	if op.Store != "" {
		b.dumps[name] = dumpKV(as, false, n.show, sameDatum)
		if plain, ok := interface{}(as).(state.Store[*datum, *datum]); ok {
			b.kv[name] = plain
		}
	}
	var out table.Table[K, *datum]
	if op.Type == "left" {
		out = n.LeftJoinForeign(right.Table, fk, via, as, func(l, r *datum, _ bool) *datum { return f(nil, l, r) })
	} else {
		out = n.JoinForeign(right.Table, fk, via, as, func(l, r *datum) *datum { return f(nil, l, r) })
	}
	return n.with(emits(b, op, out)), nil
}

// rowSerde is the serde of a table's rows. Kafka's tables that are computed from
// others without a store have lost theirs, and the case's default one comes in,
// which writes something for an empty text too.
func (b *builder) rowSerde(id string) serde.Serde[*datum] {
	for i := len(b.c.Topology) - 1; i >= 0; i-- {
		op := &b.c.Topology[i]
		if op.ID != id {
			continue
		}
		switch op.Op {
		case "filter", "filterNot", "suppress":
			if op.Store == "" && len(op.From) > 0 {
				return b.rowSerde(op.From[0])
			}
		case "mapValues", "transformValues", "tableJoin":
			if op.Store == "" {
				return tagged{}
			}
		}
	}
	return emptyTagged{}
}

// emptyTagged writes an empty text as no bytes, as Kafka's serde does, which shows
// in its foreign-key joins.
type emptyTagged struct{ tagged }

// Append implements serde.Serde.
func (s emptyTagged) Append(dst []byte, d *datum) ([]byte, error) {
	if d.is(text) && d.text == "" {
		return dst, nil
	}
	return s.tagged.Append(dst, d)
}

// Decode implements serde.Serde.
func (s emptyTagged) Decode(src []byte) (*datum, error) {
	if len(src) == 0 {
		return str(""), nil
	}
	return s.tagged.Decode(src)
}

// foreignKey is the function of a case that gives a row its foreign key.
func (n tableNode[K]) foreignKey(op *operator) (func(K, *datum) *datum, error) {
	switch op.Fk {
	case "value":
		return func(_ K, v *datum) *datum { return v }, nil
	case "nullIfX":
		f := tableMaps["nullKeyIfX"]
		return func(k K, v *datum) *datum { key, _ := f(n.show(k), v); return key }, nil
	}
	f, err := function(keyFuncs, op.Fk)
	return func(k K, v *datum) *datum { return f(n.show(k), v) }, err
}
