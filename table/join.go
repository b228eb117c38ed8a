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
// later one of both rows', its headers are those of the record that caused the
// change. Changes of a versioned table that come out of order are left out.
func (t Table[K, V]) Join[V2, VR any](other Table[K, V2], f func(V, V2) VR) Table[K, VR] {
	return joinTables(t, other, "Join", innerJoin, func(_ K, v V, _ bool, v2 V2, _ bool) VR { return f(v, v2) })
}

// JoinWithKey is Join for a function that is given the key too.
func (t Table[K, V]) JoinWithKey[V2, VR any](other Table[K, V2], f func(K, V, V2) VR) Table[K, VR] {
	return joinTables(t, other, "JoinWithKey", innerJoin, func(k K, v V, _ bool, v2 V2, _ bool) VR { return f(k, v, v2) })
}

// LeftJoin is Join for every key that t has; known says whether the other table
// has a row of it.
func (t Table[K, V]) LeftJoin[V2, VR any](other Table[K, V2], f func(v V, v2 V2, known bool) VR) Table[K, VR] {
	return joinTables(t, other, "LeftJoin", leftJoin, func(_ K, v V, _ bool, v2 V2, known bool) VR { return f(v, v2, known) })
}

// LeftJoinWithKey is LeftJoin for a function that is given the key too.
func (t Table[K, V]) LeftJoinWithKey[V2, VR any](other Table[K, V2], f func(key K, v V, v2 V2, known bool) VR) Table[K, VR] {
	return joinTables(t, other, "LeftJoinWithKey", leftJoin, func(k K, v V, _ bool, v2 V2, known bool) VR { return f(k, v, v2, known) })
}

// OuterJoin is Join for every key that either table has: ok says whether t has a
// row of it, ok2 whether the other one does. One of them always does.
func (t Table[K, V]) OuterJoin[V2, VR any](other Table[K, V2], f func(v V, ok bool, v2 V2, ok2 bool) VR) Table[K, VR] {
	return joinTables(t, other, "OuterJoin", outerJoin, func(_ K, v V, ok bool, v2 V2, ok2 bool) VR { return f(v, ok, v2, ok2) })
}

// OuterJoinWithKey is OuterJoin for a function that is given the key too.
func (t Table[K, V]) OuterJoinWithKey[V2, VR any](other Table[K, V2], f func(key K, v V, ok bool, v2 V2, ok2 bool) VR) Table[K, VR] {
	return joinTables(t, other, "OuterJoinWithKey", outerJoin, f)
}

// joinKind says which side of a join may lack its row.
type joinKind uint8

const (
	innerJoin joinKind = iota
	leftJoin
	outerJoin
)

// joiner is a function of both sides' rows, and of whether they are there.
type joiner[K, L, R, VR any] func(k K, l L, hasLeft bool, r R, hasRight bool) VR

// joinTables computes the old result of a change from the old row and what the
// other table has told so far (dsl.Emitted): exactly what was sent before, so
// that who sums the results up can take the old one away again.
func joinTables[K, L, R, VR any](left Table[K, L], right Table[K, R], op string, kind joinKind, f joiner[K, L, R, VR]) Table[K, VR] {
	at := dsl.Caller()
	l, r := left.def(), right.def()
	needLookup(l, op, at)
	needLookup(r, op, at)
	if kind != innerJoin {
		l.WantOld() // a row that never was needs no tombstone
	}
	if kind == outerJoin {
		r.WantOld()
	}
	d := &dsl.TableDef[K, VR]{B: l.B, OwnOld: l.B.LikeKafka, WantOld: func() {
		l.WantOld()
		r.WantOld()
	}}
	d.Lookup = func(tk *task.Task) dsl.Lookup[K, VR] {
		return lookupJoined(l.Lookup(tk), r.Lookup(tk), kind, f)
	}
	d.Node = l.B.Add(topology.Node{
		Op: op, Kind: topology.Processor, At: at, Copartitioned: true,
		Inputs: []*topology.Node{l.Node, r.Node},
	}, func(tk *task.Task, n *topology.Node) {
		port := dsl.NewPort[dsl.Change[K, VR]](tk, n)
		ofLeft, ofRight := l.Lookup(tk), r.Lookup(tk)
		isNull := null.Test[VR]()
		leftSide := joinSide[K, L, R, VR]{alone: kind != innerJoin, otherAlone: kind == outerJoin, f: f}
		l.Out(tk).Subscribe(n, func(c dsl.Change[K, L]) error {
			out, ok, err := leftSide.change(&c, ofRight)
			if err != nil || !ok {
				return err
			}
			return port.Emit(withoutNull(out, isNull))
		})
		rightSide := joinSide[K, R, L, VR]{alone: kind == outerJoin, otherAlone: kind != innerJoin, f: mirrored(f)}
		r.Out(tk).Subscribe(n, func(c dsl.Change[K, R]) error {
			out, ok, err := rightSide.change(&c, ofLeft)
			if err != nil || !ok {
				return err
			}
			return port.Emit(withoutNull(out, isNull))
		})
	})
	return tableOf(d)
}

// needLookup reports a table whose rows can't be found by their key.
func needLookup[K, V any](d *dsl.TableDef[K, V], op, at string) {
	if d.Demand != nil {
		d.Demand()
	}
	if d.Lookup == nil {
		d.B.Fail(at, "%s can't look up rows of the table made by %s at %s; join with a table whose rows have one key each", op, d.Node.Label(), d.Node.At)
	}
}

func mirrored[K, L, R, VR any](f joiner[K, L, R, VR]) joiner[K, R, L, VR] {
	return func(k K, r R, hasRight bool, l L, hasLeft bool) VR { return f(k, l, hasLeft, r, hasRight) }
}

// joinSide turns changes of one table, with rows of the other one, into changes
// of the result.
type joinSide[K, V, O, VR any] struct {
	alone      bool // a row of this table is a result without the other's
	otherAlone bool // and the other way round
	f          joiner[K, V, O, VR]
}

// change reports false where nothing changes.
func (s *joinSide[K, V, O, VR]) change(c *dsl.Change[K, V], lookup dsl.Lookup[K, O]) (out dsl.Change[K, VR], ok bool, err error) {
	if c.Stale {
		return out, false, nil
	}
	other, err := lookup(c.Key, dsl.Emitted)
	if err != nil || !other.OK && (!s.alone || !c.HasNew && !c.HasOld) {
		return out, false, err
	}
	out = dsl.Change[K, VR]{Key: c.Key, Time: later(c.Time, other), Meta: c.Meta}
	out.HasNew = c.HasNew || s.otherAlone && other.OK
	out.HasOld = c.HasOld || s.otherAlone && other.OK
	if out.HasNew {
		out.New = s.f(c.Key, c.New, c.HasNew, other.Value, other.OK)
	}
	if out.HasOld {
		out.Old = s.f(c.Key, c.Old, c.HasOld, other.Value, other.OK)
	}
	return out, true, nil
}

func lookupJoined[K, L, R, VR any](ofLeft dsl.Lookup[K, L], ofRight dsl.Lookup[K, R], kind joinKind, f joiner[K, L, R, VR]) dsl.Lookup[K, VR] {
	isNull := null.Test[VR]()
	return func(k K, view dsl.View) (row dsl.Row[VR], err error) {
		a, err := ofLeft(k, view)
		if err != nil || !a.OK && kind != outerJoin {
			return row, err
		}
		b, err := ofRight(k, view)
		if err != nil || !b.OK && (kind == innerJoin || !a.OK) {
			return row, err
		}
		v := f(k, a.Value, a.OK, b.Value, b.OK)
		if isNull != nil && isNull(v) {
			return row, nil
		}
		at := b.Time
		if a.OK {
			at = later(a.Time, b)
		}
		return dsl.Row[VR]{Value: v, OK: true, Time: at}, nil
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
