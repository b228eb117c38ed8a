package main

import (
	"fmt"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/stream/streamtest"
	"github.com/leatstream/leat/table"
	"github.com/leatstream/leat/topic"
	"github.com/leatstream/leat/window"
)

type (
	countStore    = state.Store[*datum, int64]
	windowedTable = table.Table[window.Key[*datum], *datum]
)

// windowedNode is a grouped stream with its window. Its aggregation may have a
// retention of its own, so leat's types come only then.
type windowedNode struct {
	groupedNode
	spec windowSpec
}

func (b *builder) windowedBy(op *operator, in groupedNode) (any, error) {
	if op.Emit != "" {
		return nil, unsupported("windowedBy emit onWindowClose")
	}
	switch op.Window.Type {
	case "tumbling", "hopping", "session":
		return windowedNode{in, op.Window}, nil
	}
	return nil, unsupported("windowedBy %s", op.Window.Type)
}

// folds is what windowed and sessioned streams have in common.
type folds struct {
	count     func(countStore) table.Table[window.Key[*datum], int64]
	reduce    func(state.Store[*datum, *datum], func(row, v *datum) *datum) windowedTable
	aggregate func(as state.Store[*datum, *datum], init func() *datum, f aggFunc, m mergeFunc) windowedTable
	retention int64
}

func (n windowedNode) folds(op *operator, g stream.Grouped[*datum, *datum]) folds {
	if n.spec.Type == "session" {
		w := window.Session(ms(n.spec.GapMs)).Grace(ms(n.spec.GraceMs))
		if op.RetentionMs != nil {
			w = w.Retention(ms(*op.RetentionMs))
		}
		s := g.SessionsBy(w)
		return folds{s.Count, s.Reduce, func(as state.Store[*datum, *datum], init func() *datum, f aggFunc, m mergeFunc) windowedTable {
			return s.Aggregate(as, init, f, m)
		}, w.RetentionMS()}
	}
	w := window.Tumbling(ms(n.spec.SizeMs))
	if n.spec.Type == "hopping" {
		w = window.Hopping(ms(n.spec.SizeMs), ms(n.spec.AdvanceMs))
	}
	w = w.Grace(ms(n.spec.GraceMs))
	if op.RetentionMs != nil {
		w = w.Retention(ms(*op.RetentionMs))
	}
	s := g.WindowedBy(w)
	return folds{s.Count, s.Reduce, func(as state.Store[*datum, *datum], init func() *datum, f aggFunc, _ mergeFunc) windowedTable {
		return s.Aggregate(as, init, f)
	}, w.RetentionMS()}
}

func (b *builder) onWindowed(op *operator, n windowedNode) (any, error) {
	g := n.Grouped
	if !b.cached(op) {
		g = g.EmitOnUpdate()
	}
	f := n.folds(op, g)
	if op.Op == "count" {
		st := b.countStore(op, true)
		if n.spec.Type == "session" && op.Store != "" {
			b.dumps[op.Store] = dumpSessions(op.Store, f.retention, serde.Int64, num)
		}
		return windowTable(f.count(st).MapValues(num)), nil
	}
	st := b.windowStore(op)
	if n.spec.Type == "session" && op.Store != "" {
		b.dumps[op.Store] = dumpSessions(op.Store, f.retention, st.Value(), sameDatum)
	}
	switch op.Op {
	case "reduce":
		r, err := function(reduceFuncs, op.Fn)
		if err != nil {
			return nil, err
		}
		return windowTable(f.reduce(st, r)), nil
	case "aggregate":
		a, err := function(aggFuncs, op.Agg)
		if err != nil {
			return nil, err
		}
		init, err := function(inits, op.Init)
		if err != nil {
			return nil, err
		}
		var m mergeFunc
		if n.spec.Type == "session" {
			if m, err = function(mergeFuncs, op.Merge); err != nil {
				return nil, err
			}
		}
		return windowTable(f.aggregate(st, func() *datum { return init }, a, m)), nil
	}
	return nil, unsupported("%s of a windowed stream", op.Op)
}

// countStore declares the store of a count, of one for each window if windowed.
func (b *builder) countStore(op *operator, windowed bool) countStore {
	name := op.Store
	if name == "" {
		name = b.unique("count")
	}
	st := state.New(name, serde.Serde[*datum](tagged{}), serde.Int64)
	switch {
	case op.Store == "":
	case windowed:
		b.dumps[name] = dumpKV(state.New(name, window.KeySerde(st.Key()), serde.Int64), false, fromKey, num)
	default:
		b.dumps[name] = dumpKV(st, false, sameDatum, num)
	}
	return st
}

func (b *builder) windowStore(op *operator) state.Store[*datum, *datum] {
	name := op.Store
	if name == "" {
		name = b.unique("windows")
	}
	st := state.New(name, serde.Serde[*datum](tagged{}), serde.Serde[*datum](tagged{}))
	if op.Store != "" {
		b.dumps[name] = dumpKV(state.New(name, window.KeySerde(st.Key()), st.Value()), false, fromKey, sameDatum)
	}
	return st
}

// dumpSessions puts a session store together from its changelog: no reader of
// leat's opens one.
func dumpSessions[V any](name string, retention int64, value serde.Serde[V], show func(V) *datum) dump {
	changelog := topic.New(fmt.Sprintf("%s-%s-changelog", streamtest.App, name), serde.Serde[*datum](sessionKey{}), value)
	latest := int64(-1)
	now := map[string]row{}
	return func(d *streamtest.Driver) ([]row, error) {
		for _, r := range d.Records(changelog) {
			latest = max(latest, r.Key.span.EndMS)
			if r.NoValue {
				delete(now, r.Key.String())
				continue
			}
			now[r.Key.String()] = row{Key: r.Key, Value: show(r.Value)}
		}
		rows := []row{}
		for _, r := range now {
			if r.Key.span.EndMS > latest-retention {
				rows = append(rows, r)
			}
		}
		return rows, nil
	}
}
