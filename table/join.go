package table

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Join is the table of f(row, other's row) for the keys that both tables have.
// A change of either changes it. Both must have the same number of partitions.
// Its rows are computed, not stored; a nil result is no row. Its time is the
// later one of both rows'.
func (t Table[K, V]) Join[V2, VR any](other Table[K, V2], f func(V, V2) VR) Table[K, VR] {
	return tableOf(joinTables(t.def(), other.def(), "Join", false, func(v V, v2 V2, _ bool) VR { return f(v, v2) }))
}

// LeftJoin is Join for every key that t has; known says whether the other table
// has a row of it.
func (t Table[K, V]) LeftJoin[V2, VR any](other Table[K, V2], f func(v V, v2 V2, known bool) VR) Table[K, VR] {
	return tableOf(joinTables(t.def(), other.def(), "LeftJoin", true, f))
}

// joinTables computes the old result of a change from the old row and what the
// other table has told so far (dsl.Emitted): exactly what was sent before, so
// that who sums the results up can take the old one away again.
func joinTables[K, L, R, VR any](l *dsl.TableDef[K, L], r *dsl.TableDef[K, R], op string, left bool, f func(L, R, bool) VR) *dsl.TableDef[K, VR] {
	at := dsl.Caller()
	for _, n := range [...]struct {
		lookup bool
		node   *topology.Node
	}{{l.Lookup != nil, l.Node}, {r.Lookup != nil, r.Node}} {
		if !n.lookup {
			l.B.Fail(at, "%s can't look up rows of the table made by %s at %s; join with a table whose rows have one key each", op, n.node.Label(), n.node.At)
		}
	}
	if left {
		l.WantOld() // a row that never was needs no tombstone
	}
	d := &dsl.TableDef[K, VR]{B: l.B, WantOld: func() {
		l.WantOld()
		r.WantOld()
	}}
	d.Lookup = func(tk *task.Task) dsl.Lookup[K, VR] {
		return lookupJoined(l.Lookup(tk), r.Lookup(tk), left, f)
	}
	d.Node = l.B.Add(topology.Node{
		Op: op, Kind: topology.Processor, At: at, Copartitioned: true,
		Inputs: []*topology.Node{l.Node, r.Node},
	}, func(tk *task.Task, n *topology.Node) {
		port := dsl.NewPort[dsl.Change[K, VR]](tk, n)
		ofLeft, ofRight := l.Lookup(tk), r.Lookup(tk)
		isNull := null.Test[VR]()
		l.Out(tk).Subscribe(n, func(c dsl.Change[K, L]) error {
			other, err := ofRight(c.Key, dsl.Emitted)
			if err != nil || !other.OK && (!left || !c.HasNew && !c.HasOld) {
				return err
			}
			out := dsl.Change[K, VR]{Key: c.Key, HasNew: c.HasNew, HasOld: c.HasOld, Time: later(c.Time, other), Meta: c.Meta}
			if c.HasNew {
				out.New = f(c.New, other.Value, other.OK)
			}
			if c.HasOld {
				out.Old = f(c.Old, other.Value, other.OK)
			}
			return port.Emit(withoutNull(out, isNull))
		})
		r.Out(tk).Subscribe(n, func(c dsl.Change[K, R]) error {
			other, err := ofLeft(c.Key, dsl.Emitted)
			if err != nil || !other.OK {
				return err
			}
			out := dsl.Change[K, VR]{Key: c.Key, HasNew: left || c.HasNew, HasOld: left || c.HasOld, Time: max(c.Time, other.Time), Meta: c.Meta}
			if out.HasNew {
				out.New = f(other.Value, c.New, c.HasNew)
			}
			if out.HasOld {
				out.Old = f(other.Value, c.Old, c.HasOld)
			}
			return port.Emit(withoutNull(out, isNull))
		})
	})
	return d
}

func lookupJoined[K, L, R, VR any](ofLeft dsl.Lookup[K, L], ofRight dsl.Lookup[K, R], left bool, f func(L, R, bool) VR) dsl.Lookup[K, VR] {
	isNull := null.Test[VR]()
	return func(k K, view dsl.View) (row dsl.Row[VR], err error) {
		a, err := ofLeft(k, view)
		if err != nil || !a.OK {
			return row, err
		}
		b, err := ofRight(k, view)
		if err != nil || !left && !b.OK {
			return row, err
		}
		v := f(a.Value, b.Value, b.OK)
		if isNull != nil && isNull(v) {
			return row, nil
		}
		return dsl.Row[VR]{Value: v, OK: true, Time: later(a.Time, b)}, nil
	}
}

// later is the time of a result: the later one of both sides, or that of the
// one side that there is. A row that was deleted has no say.
func later[V any](time int64, other dsl.Row[V]) int64 {
	if !other.OK {
		return time
	}
	return max(time, other.Time)
}

// withoutNull says that a result which is nil is none.
func withoutNull[K, V any](c dsl.Change[K, V], isNull func(V) bool) dsl.Change[K, V] {
	if isNull != nil {
		c.HasNew = c.HasNew && !isNull(c.New)
		c.HasOld = c.HasOld && !isNull(c.Old)
	}
	return c
}
