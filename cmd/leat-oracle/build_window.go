package main

import (
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
	"github.com/leatstream/leat/table"
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
	// finals asks for windows when they are closed only.
	finals bool
}

func (b *builder) windowedBy(op *operator, in groupedNode) (any, error) {
	switch op.Window.Type {
	case "tumbling", "hopping", "session", "sliding", "unlimited":
		return windowedNode{in, op.Window, op.Emit == "onWindowClose"}, nil
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
	switch n.spec.Type {
	case "session":
		w := n.spec.sessions(op)
		s := g.SessionsBy(w)
		if n.finals {
			s = s.EmitOnClose()
		}
		return folds{s.Count[countStore], s.Reduce[state.Store[*datum, *datum]], func(as state.Store[*datum, *datum], init func() *datum, f aggFunc, m mergeFunc) windowedTable {
			return s.Aggregate(as, init, f, m)
		}, w.RetentionMS()}
	case "sliding":
		w := n.spec.sliding(op)
		s := g.SlidingBy(w)
		if n.finals {
			s = s.EmitOnClose()
		}
		return folds{s.Count[countStore], s.Reduce[state.Store[*datum, *datum]], func(as state.Store[*datum, *datum], init func() *datum, f aggFunc, _ mergeFunc) windowedTable {
			return s.Aggregate(as, init, f)
		}, w.RetentionMS()}
	}
	w := n.spec.fixed(op)
	s := g.WindowedBy(w)
	if n.finals {
		s = s.EmitOnClose()
	}
	return folds{s.Count[countStore], s.Reduce[state.Store[*datum, *datum]], func(as state.Store[*datum, *datum], init func() *datum, f aggFunc, _ mergeFunc) windowedTable {
		return s.Aggregate(as, init, f)
	}, w.RetentionMS()}
}

// sessions, sliding and fixed are the window of a case, with the retention of the
// operator's store.
func (s windowSpec) sessions(op *operator) window.Sessions {
	w := window.Session(ms(s.GapMs)).Grace(ms(s.GraceMs))
	if op.RetentionMs != nil {
		w = w.Retention(ms(*op.RetentionMs))
	}
	return w
}

func (s windowSpec) sliding(op *operator) window.Slides {
	w := window.Sliding(ms(s.DiffMs)).Grace(ms(s.GraceMs))
	if op.RetentionMs != nil {
		w = w.Retention(ms(*op.RetentionMs))
	}
	return w
}

func (s windowSpec) fixed(op *operator) window.Fixed {
	var w window.Fixed
	switch s.Type {
	case "unlimited":
		return window.Unlimited(time.UnixMilli(s.StartMs))
	case "hopping":
		w = window.Hopping(ms(s.SizeMs), ms(s.AdvanceMs))
	default:
		w = window.Tumbling(ms(s.SizeMs))
	}
	w = w.Grace(ms(s.GraceMs))
	if op.RetentionMs != nil {
		w = w.Retention(ms(*op.RetentionMs))
	}
	return w
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
			b.dumps[op.Store] = dumpSessions(st, num)
		}
		return windowTable(f.count(st).MapValues(num)), nil
	}
	st := b.windowStore(op)
	if n.spec.Type == "session" && op.Store != "" {
		b.dumps[op.Store] = dumpSessions(st, sameDatum)
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
		b.dumps[name] = dumpWindows(st, false, num)
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
		b.dumps[name] = dumpWindows(st, false, sameDatum)
	}
	return st
}
