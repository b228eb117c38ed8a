package main

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/table"
)

// countChanges is a table transformed by a function that counts the changes of each
// key in a store.
func (b *builder) countChanges[K any](op *operator, n tableNode[K]) (any, error) {
	plain, ok := any(n).(tableNode[*datum])
	if !ok {
		return nil, unsupported("transformValues with state of a windowed table")
	}
	stores, err := b.listed(op)
	if err != nil {
		return nil, err
	}
	t := plain.TransformValues(b.store(op.Store, "transformed"), func(tr *table.Transformer) func(k, v *datum) (*datum, error) {
		counts := tr.Store(stores[0].(state.Store[*datum, *datum]))
		return func(k, v *datum) (*datum, error) {
			c, _, err := counts.Get(k)
			if err != nil {
				return nil, err
			}
			c = num(c.number() + 1)
			return str(v.String() + "#" + c.String()), counts.Put(k, c)
		}
	}, stores...)
	return plain.with(t), nil
}

type valueProcessor = stream.ValueProcessor[*datum, *datum]

// valueHandlers are the processors that can't change keys.
var valueHandlers = map[string]func(*valueProcessor, []state.Declared) handler{
	"runningTotal": runningTotal,
	"prependTs":    prependTs,
	"dup":          duplicate,
}

func (b *builder) processValues(op *operator, in streamNode, stores []state.Declared) (any, error) {
	make, ok := valueHandlers[op.Fn]
	if !ok {
		return nil, unsupported("processValues %s", op.Fn)
	}
	return streamNode{in.ProcessValues(func(p *valueProcessor) func(record) error { return make(p, stores) }, stores...), in.rekeyed}, nil
}

func runningTotal(p *valueProcessor, stores []state.Declared) handler {
	totals := p.Store(stores[0].(state.Store[*datum, *datum]))
	return func(r record) error {
		if r.Key == nil {
			return p.Forward(nil)
		}
		t, _, err := totals.Get(r.Key)
		if err != nil {
			return err
		}
		sum := num(t.number() + r.Value.number())
		if err := totals.Put(r.Key, sum); err != nil {
			return err
		}
		return p.Forward(sum)
	}
}

func prependTs(p *valueProcessor, _ []state.Declared) handler {
	return func(r record) error {
		return p.Forward(str(fmt.Sprintf("%d:%s", r.Time.UnixMilli(), r.Value)))
	}
}

func duplicate(p *valueProcessor, _ []state.Declared) handler {
	return func(r record) error {
		if err := p.Forward(r.Value); err != nil {
			return err
		}
		return p.ForwardAt(r.Value, r.Time.Add(time.Millisecond))
	}
}
