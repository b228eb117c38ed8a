package table

import (
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

// Table is the latest value of each key, in a topology under construction. It
// is a handle: copying it copies no rows.
//
// Functions given to its methods must be pure: they are called again for the
// same row whenever it is looked up, and must give the same answer.
type Table[K, V any] dsl.Table[K, V]

func (t Table[K, V]) def() *dsl.TableDef[K, V] { return dsl.Table[K, V](t).Def() }

func tableOf[K, V any](d *dsl.TableDef[K, V]) Table[K, V] { return Table[K, V](dsl.NewTable(d)) }

// Apply calls f with the table and returns what f returns. With
// stream.FromTable it is the way back to a stream:
//
//	t.Apply(stream.FromTable)
func (t Table[K, V]) Apply[R any](f func(Table[K, V]) R) R { return f(t) }

// To writes the table's changes to a topic, which must exist: the new value of a
// row, or a tombstone (a null value) where it was deleted. A compacted topic
// then holds the table.
func (t Table[K, V]) To(to topic.Topic[K, V]) { dsl.TableSink(t.def(), to, dsl.Caller()) }

// Foreach calls f with each change; ok is false where the row was deleted.
// After a crash f may see changes again.
func (t Table[K, V]) Foreach(f func(key K, value V, ok bool)) {
	d := t.def()
	d.B.Add(topology.Node{Op: "Foreach", Kind: topology.Processor, At: dsl.Caller(), Inputs: []*topology.Node{d.Node}},
		func(tk *task.Task, n *topology.Node) {
			d.Out(tk).Subscribe(n, func(c dsl.Change[K, V]) error {
				f(c.Key, c.New, c.HasNew)
				return nil
			})
		})
}

// Filter keeps the rows for which keep returns true. A row that passed and
// passes no longer is deleted.
func (t Table[K, V]) Filter(keep func(K, V) bool) Table[K, V] {
	in := t.def()
	knows := true // what a row was, or it would delete rows that never passed
	if in.B.LikeKafka {
		knows = in.AskOld()
	} else {
		in.WantOld()
	}
	return derive(in, "Filter", knows, func(k K, v V) (row V, ok bool) {
		if keep(k, v) {
			row, ok = v, true
		}
		return row, ok
	})
}

// FilterNot keeps the rows for which drop returns false.
func (t Table[K, V]) FilterNot(drop func(K, V) bool) Table[K, V] {
	return t.Filter(func(k K, v V) bool { return !drop(k, v) })
}

// MapValues replaces each row's value by f(value); a nil result is no row.
func (t Table[K, V]) MapValues[VR any](f func(V) VR) Table[K, VR] {
	return derive(t.def(), "MapValues", false, func(_ K, v V) (VR, bool) { return f(v), true })
}

// MapValuesWithKey replaces each row's value by f(key, value); a nil result is
// no row.
func (t Table[K, V]) MapValuesWithKey[VR any](f func(K, V) VR) Table[K, VR] {
	return derive(t.def(), "MapValuesWithKey", false, func(k K, v V) (VR, bool) { return f(k, v), true })
}

// derive is a table whose rows are computed from those of another, and not
// stored. wantOld says that it knows old values without having been asked.
func derive[K, V, VR any](in *dsl.TableDef[K, V], op string, wantOld bool, f func(K, V) (VR, bool)) Table[K, VR] {
	d := &dsl.TableDef[K, VR]{B: in.B, Demand: in.Demand, WantOld: func() {
		wantOld = true
		in.WantOld()
	}}
	if same, ok := any(in.Value).(serde.Serde[VR]); ok && op == "Filter" {
		d.Value = same
	}
	if in.B.LikeKafka {
		d.TryOld = func() bool {
			wantOld = in.AskOld() || wantOld
			return wantOld
		}
	}
	if in.Lookup != nil {
		d.Lookup = func(tk *task.Task) dsl.Lookup[K, VR] {
			lookup, f := in.Lookup(tk), orNone(f)
			return func(k K, view dsl.View) (r dsl.Row[VR], err error) {
				from, err := lookup(k, view)
				if err != nil || !from.OK {
					return r, err
				}
				r.Value, r.OK = f(k, from.Value)
				r.Time = from.Time
				return r, nil
			}
		}
	}
	if in.LookupAt != nil {
		d.LookupAt = func(tk *task.Task) dsl.LookupAt[K, VR] { return lookupDerived(in.LookupAt(tk), orNone(f)) }
	}
	filter := op == "Filter"
	// Kafka Streams writes needless deletions after a versioned table.
	needless := in.B.LikeKafka && in.LookupAt != nil
	d.Node = in.B.Add(topology.Node{Op: op, Kind: topology.Processor, At: dsl.Caller(), Inputs: []*topology.Node{in.Node}},
		func(tk *task.Task, n *topology.Node) {
			port := dsl.NewPort[dsl.Change[K, VR]](tk, n)
			f := orNone(f)
			in.Out(tk).Subscribe(n, func(c dsl.Change[K, V]) error {
				out := dsl.Change[K, VR]{Key: c.Key, Time: c.Time, Stale: c.Stale, Meta: c.Meta}
				if c.HasNew {
					out.New, out.HasNew = f(c.Key, c.New)
				}
				if c.HasOld && wantOld {
					out.Old, out.HasOld = f(c.Key, c.Old)
				}
				if filter && wantOld && !needless && !out.HasNew && !out.HasOld {
					return nil // it passed neither before nor now
				}
				return port.Emit(out)
			})
		})
	return tableOf(d)
}

// lookupDerived reads rows of a derived table as they were.
func lookupDerived[K, V, VR any](lookup dsl.LookupAt[K, V], f func(K, V) (VR, bool)) dsl.LookupAt[K, VR] {
	return func(k K, at int64) (r dsl.Row[VR], err error) {
		from, err := lookup(k, at)
		if err != nil || !from.OK {
			return r, err
		}
		r.Value, r.OK = f(k, from.Value)
		r.Time = from.Time
		return r, nil
	}
}

// orNone says that there is no row where f returns a nil: a table has no rows
// of null, so a function deletes a row that way.
func orNone[K, V, VR any](f func(K, V) (VR, bool)) func(K, V) (VR, bool) {
	isNull := null.Test[VR]()
	if isNull == nil {
		return f
	}
	return func(k K, v V) (VR, bool) {
		row, ok := f(k, v)
		return row, ok && !isNull(row)
	}
}
