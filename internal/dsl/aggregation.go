package dsl

import (
	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/null"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Emission is when an aggregation tells of its changes.
type Emission uint8

const (
	// OnCommit is once for each row that changed since the last commit.
	OnCommit Emission = iota
	// OnUpdate is with every update.
	OnUpdate
)

// Aggregation is a node that keeps one row for each key, plain or windowed.
type Aggregation[K, A any] struct {
	Op    string
	At    string
	Emit  Emission
	Input *topology.Node
	Spec  cache.Spec[K, A]
	// Feed subscribes to the input and changes rows.
	Feed func(*task.Task, *topology.Node, *Rows[K, A])
}

// Rows is an aggregation's store in a task, and its way out.
type Rows[K, A any] struct {
	*cache.KeyValue[K, A]
	task   *task.Task
	port   *Port[Change[K, A]]
	update bool // emit every update
	copy   bool // somebody wants the old value, and a function may change it in place
	old    A
	hadOld bool
}

// Begin finds the row of k, to be changed.
func (s *Rows[K, A]) Begin(k K) (*cache.Entry[K, A], error) {
	e, err := s.Entry(k)
	if err != nil {
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
	}
	return e, err
}

// Put gives the row its new value.
func (s *Rows[K, A]) Put(e *cache.Entry[K, A], v A, time int64) error {
	s.Set(e, v, time)
	if !s.update {
		return nil
	}
	return s.port.Emit(Change[K, A]{
		Key: e.Key, New: e.Value, HasNew: e.OK, Old: s.old, HasOld: s.hadOld,
		Time: time, Meta: s.task.Meta(),
	})
}

// Build adds the node.
func (a Aggregation[K, A]) Build(b *Builder) *TableDef[K, A] {
	var wantOld bool
	d := &TableDef[K, A]{B: b, WantOld: func() { wantOld = true }, Lookup: Opener[K, A](a.Spec.Store.Name).Lookup}
	d.Node = b.Add(topology.Node{
		Op: a.Op, Name: a.Spec.Store.Name, Kind: topology.Processor, At: a.At,
		Inputs: []*topology.Node{a.Input}, Stores: []*topology.Store{a.Spec.Store},
	}, func(t *task.Task, n *topology.Node) {
		s := &Rows[K, A]{task: t, port: NewPort[Change[K, A]](t, n), update: a.Emit == OnUpdate, copy: wantOld && null.Mutable[A]()}
		spec := a.Spec
		spec.Label = n.Label()
		spec.KeepOld = wantOld
		if !s.update {
			spec.Changed = func(e *cache.Entry[K, A]) error {
				return s.port.Emit(Change[K, A]{
					Key: e.Key, New: e.Value, HasNew: e.OK, Old: e.Old, HasOld: e.HadOld,
					Time: e.Time, Meta: t.Meta(),
				})
			}
		}
		s.KeyValue = cache.OpenKeyValue(t, spec)
		t.Keep(a.Spec.Store.Name, s.KeyValue)
		a.Feed(t, n, s)
	})
	return d
}
