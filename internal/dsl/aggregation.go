package dsl

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Aggregation is a node that keeps one row for each key, plain or windowed.
type Aggregation[K, A any] struct {
	Op    string
	At    string
	Emit  Emission // on commit, if it is left to the operator
	Input *topology.Node
	More  []*topology.Node // further inputs
	Spec  cache.Spec[K, A]
	// Closing is for one in windows that may emit on close.
	Closing Closing[K]
	// Born is what a new row begins as. Under LikeKafka that is told as its old
	// value, unless it is null or a cache gathers changes.
	Born func() A
	// Find turns the key that a join looks for into that of a row, if they may
	// differ.
	Find func(K) K
	// Feed subscribes to the inputs and changes rows.
	Feed func(*task.Task, *topology.Node, *Rows[K, A])
}

// Rows is an aggregation's store in a task, and its way out.
type Rows[K, A any] struct {
	*cache.KeyValue[K, A]
	task   *task.Task
	out    *Teller[K, A]
	closer *Closer[K]
	span   func(K) (start, end int64)
	born   func() (A, bool) // nil: a new row has no old value
	update bool             // tell of every update
	copy   bool             // somebody wants the old value, and a function may change it in place
	old    A
	hadOld bool
	at     int64        // of the record in process
	isNull func(A) bool // where a deletion has the time of its record
}

// Begin finds the row of k, to be changed.
func (s *Rows[K, A]) Begin(k K) (*cache.Entry[K, A], error) {
	e, err := s.Entry(k)
	if err != nil {
		return nil, err
	}
	if err := s.Renew(e); err != nil {
		return nil, err
	}
	if err := s.Touch(e); err != nil {
		return nil, err
	}
	if s.update {
		s.old, s.hadOld = e.Value, e.OK
		if s.copy && e.OK {
			s.old, err = s.Copy(e.Value)
		}
		if s.born != nil && !s.hadOld {
			s.old, s.hadOld = s.born()
		}
	}
	return e, err
}

// Later is the time of a row that a record of the given time changes: the later
// one of both.
func (s *Rows[K, A]) Later(e *cache.Entry[K, A], time int64) int64 {
	s.at = time
	if e.OK {
		return max(time, e.Time)
	}
	return time
}

// Put gives the row its new value.
func (s *Rows[K, A]) Put(e *cache.Entry[K, A], v A, time int64) error {
	if s.isNull != nil && s.isNull(v) {
		time = s.at
	}
	s.Set(e, v, time)
	if s.closer != nil && e.OK {
		start, end := s.span(e.Key)
		return s.closer.Opened(start, 0, e.Key, end)
	}
	if !s.update {
		return nil
	}
	return s.out.Emit(Change[K, A]{
		Key: e.Key, New: e.Value, HasNew: e.OK, Old: s.old, HasOld: s.hadOld,
		Time: time, Meta: s.task.Meta(),
	})
}

// Missing tells that there is no row where something was to be taken out of one,
// which Kafka Streams does.
func (s *Rows[K, A]) Missing(e *cache.Entry[K, A], time int64) error {
	s.Delete(e, time)
	if !s.update {
		return nil
	}
	return s.out.Emit(Change[K, A]{Key: e.Key, Time: time, Meta: s.task.Meta()})
}

// Closing is to be called with each record of an aggregation in windows, when
// stream time has moved on and no row was changed yet.
func (s *Rows[K, A]) Closing(streamTime int64) error { return s.closer.Before(streamTime) }

// Closed is to be called when the record was processed, and when stream time has
// moved on without one.
func (s *Rows[K, A]) Closed(streamTime int64) error { return s.closer.After(streamTime) }

// close tells of a window that is closed.
func (s *Rows[K, A]) close(w cache.Buffered[K, int64]) error {
	e, err := s.Entry(w.Key)
	if err != nil || !e.OK {
		return err // its last change deleted it
	}
	if s.closer.late && !s.Visible(e) {
		return nil // Kafka's store doesn't find it any more
	}
	return s.out.Emit(Change[K, A]{Key: e.Key, New: e.Value, HasNew: true, Time: e.Time, Meta: s.task.Meta()})
}

// told is a row as the nodes after the table know it.
func (s *Rows[K, A]) told(e *cache.Entry[K, A], now Row[A]) (Row[A], error) {
	if s.closer != nil {
		_, end := s.span(e.Key)
		now.OK = now.OK && s.closer.Told(end)
		return now, nil
	}
	return s.out.Told(e.Key, now)
}

// Build adds the node.
func (a Aggregation[K, A]) Build(b *Builder) *TableDef[K, A] {
	var wantOld bool
	var emit *Emitting
	store := a.Spec.Store
	d := &TableDef[K, A]{B: b, WantOld: func() { wantOld = true }, Lookup: lookupIn[K, A](b, store.Name), Value: a.Spec.Value}
	d.Find = a.Find
	if find, in := a.Find, d.Lookup; find != nil {
		d.Lookup = func(t *task.Task) Lookup[K, A] {
			lookup := in(t)
			return func(k K, v View) (Row[A], error) { return lookup(find(k), v) }
		}
	}
	d.Node = b.Add(topology.Node{
		Op: a.Op, Name: store.Name, Kind: topology.Processor, At: a.At,
		Inputs: append([]*topology.Node{a.Input}, a.More...), Stores: []*topology.Store{store},
	}, func(t *task.Task, n *topology.Node) {
		a.open(b, t, n, emit, wantOld || emit.when == every)
	})
	emit = b.Emitting(d.Node, store.Name, a.Emit.Or(OnCommit), a.At)
	d.SetEmission = emit.Set
	return d
}

func (a Aggregation[K, A]) open(b *Builder, t *task.Task, n *topology.Node, emit *Emitting, wantOld bool) {
	s := &Rows[K, A]{
		task: t, out: NewTeller(t, n, emit, a.Spec.Key, a.Spec.Value), span: a.Closing.Span,
		update: emit.Updates(), copy: wantOld && null.Mutable[A](),
	}
	if b.LikeKafka && emit.Updates() {
		s.born = Born(a.Born)
	}
	if emit.b.LikeKafka && emit.when == onCommit {
		s.isNull = null.Test[A]() // a cache has no time of a row that isn't there
	}
	spec := a.Spec
	spec.Label = n.Label()
	spec.KeepOld = wantOld
	if emit.when == onCommit {
		spec.Changed = func(e *cache.Entry[K, A]) error {
			return s.out.Emit(Change[K, A]{
				Key: e.Key, New: e.Value, HasNew: e.OK, Old: e.Old, HasOld: e.HadOld,
				Time: e.Time, Meta: t.Meta(),
			})
		}
	}
	s.KeyValue = cache.OpenKeyValue(t, spec)
	tellDeaths(s.KeyValue, emit, s.out)
	s.closer = NewCloser(t, n, emit, a.Spec.Key, a.Closing.ClosesAt, s.close)
	t.Keep(a.Spec.Store.Name, s.KeyValue)
	t.Keep(toldOf(a.Spec.Store.Name), tellsRow[K, A](s.told))
	a.Feed(t, n, s)
}
