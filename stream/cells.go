package stream

import (
	"slices"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/dsl"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/window"
)

// cellAggregation is an aggregation in windows that depend on the records:
// sessions and sliding windows. A key's windows are the cells of its row.
type cellAggregation[K, A any] struct {
	op, at    string
	emit      dsl.Emission
	inputs    []*topology.Node
	store     state.Store[K, A]
	kind      topology.StoreKind
	retention int64
	endOf     func(start int64) int64 // if a window's start is enough to find it
	byStart   bool                    // what expiry goes by is a window's start, not its end
	closesAt  func(end int64) int64   // the first stream time at which a window is closed
	born      func() A                // see dsl.Aggregation
	// feed subscribes to the inputs.
	feed func(*task.Task, *topology.Node, *cells[K, A])
}

// build adds the node.
func (a cellAggregation[K, A]) build(b *dsl.Builder) *dsl.TableDef[window.Key[K], A] {
	if a.retention == 0 && b.LikeKafka {
		a.retention = cache.Nothing // a gap or a difference of 0 without grace
	}
	st := state.Use(b, a.store, a.kind, time.Duration(max(a.retention, 0))*time.Millisecond, a.at)
	var wantOld bool
	var emit *dsl.Emitting
	d := &dsl.TableDef[window.Key[K], A]{B: b, WantOld: func() { wantOld = true }}
	d.Lookup = func(t *task.Task) dsl.Lookup[window.Key[K], A] {
		lookup := t.Opened(st.Name + " as told").(*cells[K, A]).lookup
		if !b.LikeKafka {
			return lookup
		}
		// Kafka Streams' joins see what a table has, told yet or not.
		return func(k window.Key[K], _ dsl.View) (dsl.Row[A], error) {
			if d.Find != nil {
				k = d.Find(k)
			}
			return lookup(k, dsl.Latest)
		}
	}
	if b.LikeKafka && a.endOf != nil {
		d.Find = func(k window.Key[K]) window.Key[K] {
			k.EndMS = a.endOf(k.StartMS)
			return k
		}
	}
	d.Node = b.Add(topology.Node{
		Op: a.op, Name: st.Name, Kind: topology.Processor, At: a.at, Inputs: a.inputs, Copartitioned: len(a.inputs) > 1,
		Stores: []*topology.Store{st},
	}, func(t *task.Task, n *topology.Node) {
		c := &cells[K, A]{
			task: t, label: n.Label(),
			port:   dsl.NewTeller(t, n, emit, window.KeySerde(a.store.Key()), a.store.Value()),
			update: emit.Updates(), copies: null.Mutable[A](), keepOld: wantOld || emit.Gathers(),
		}
		if b.LikeKafka && c.update {
			c.kafka, c.born = true, dsl.Born(a.born)
		}
		spec := cache.RowSpec[K, A]{
			Store: st, Label: c.label, Key: a.store.Key(), Value: a.store.Value(), Retention: a.retention,
			ByStart: a.byStart, KeepOld: wantOld || emit.Gathers(), ShowCached: b.LikeKafka && emit.Emission == dsl.OnCommit,
		}
		if emit.Emission == dsl.OnCommit {
			spec.Changed = c.changed
		}
		if !b.LikeKafka {
			spec.Retention++ // what a record can still change is to be found
		}
		c.Rows = cache.OpenRows(t, spec)
		c.closer = dsl.NewCloser(t, n, emit, a.store.Key(), a.closesAt, c.tell)
		t.Keep(st.Name, c.Rows)
		t.Keep(st.Name+" as told", c)
		a.feed(t, n, c)
	})
	emit = b.Emitting(d.Node, st.Name, a.emit.Or(dsl.OnCommit), a.at)
	d.SetEmission = emit.Set
	return d
}

// cells is such an aggregation in a task.
type cells[K, A any] struct {
	*cache.Rows[K, A]
	task    *task.Task
	label   string
	port    *dsl.Teller[window.Key[K], A]
	closer  *dsl.Closer[K]
	failed  error // of what notes open windows
	update  bool  // emit every update
	copies  bool  // a function may change a value in place
	keepOld bool  // somebody wants old values
	kafka   bool  // old values as Kafka Streams gives them
	born    func() (A, bool)
	meta    record.Meta
}

// span is the window of a cell.
func (c *cells[K, A]) span(cell *cache.Cell[A]) window.Span {
	if c.ByStart() {
		return window.Span{StartMS: cell.Time, EndMS: cell.Sub}
	}
	return window.Span{StartMS: cell.Sub, EndMS: cell.Time}
}

// place is where a window's cell is: its Time and Sub.
func (c *cells[K, A]) place(s window.Span) (time, sub int64) {
	if c.ByStart() {
		return s.StartMS, s.EndMS
	}
	return s.EndMS, s.StartMS
}

// put stores the value of a window. A null is no cell, but its time counts.
func (c *cells[K, A]) put(row *cache.Row[K, A], s window.Span, at int64, v A) {
	time, sub := c.place(s)
	c.PutAt(row, time, sub, at, v)
	if c.None(v) {
		i := slices.IndexFunc(row.Cells, func(x cache.Cell[A]) bool { return x.Time == time && x.Sub == sub })
		c.Remove(row, i, i+1)
	}
}

// old is a cell's value to be told as the old one, of which a function may
// change the original in place.
func (c *cells[K, A]) old(cell *cache.Cell[A]) (A, error) {
	if c.update && c.keepOld {
		return c.own(cell.Value)
	}
	return cell.Value, nil
}

// own is a copy of a value, if it is one that a function may change in place.
func (c *cells[K, A]) own(v A) (A, error) {
	if !c.copies {
		return v, nil
	}
	return c.Copy(v)
}

// changed forwards a cell's change at the commit.
func (c *cells[K, A]) changed(row *cache.Row[K, A], cell *cache.Cell[A]) error {
	return c.port.Emit(dsl.Change[window.Key[K], A]{
		Key: window.Key[K]{Key: row.Key, Span: c.span(cell)},
		New: cell.Value, HasNew: cell.OK, Old: cell.Old, HasOld: cell.HadOld,
		Time: cell.At, Meta: c.task.Meta(),
	})
}
