package dsl

import (
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/record"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// Emission is when a table tells the nodes after it of its changes. The zero
// value leaves it to the operator.
type Emission struct {
	when     moment
	everyMS  int64
	uncached bool // see Cached; of onClose
}

type moment uint8

const (
	byOperator moment = iota
	onCommit
	onUpdate
	onClose
	every
)

var (
	// OnCommit is once for each row that changed since the last commit.
	OnCommit = Emission{when: onCommit}
	// OnUpdate is with every update.
	OnUpdate = Emission{when: onUpdate}
)

// Every is once for each row that changed since the last time, at intervals of d
// by the wall clock.
func Every(d time.Duration) Emission {
	return Emission{when: every, everyMS: d.Milliseconds()}
}

// OnClose is once for each window, when it is closed, instead of e.
func (e Emission) OnClose() Emission { return Emission{when: onClose, uncached: e.Updates()} }

// Cached reports whether Kafka Streams would have a cache before the table, which
// is what an emission other than OnUpdate means there. A cache shows rows that
// have expired.
func (e Emission) Cached() bool {
	return e.when == byOperator || e.when == onCommit || e.when == onClose && !e.uncached
}

// Or is e, or other if e leaves it to the operator.
func (e Emission) Or(other Emission) Emission {
	if e.when == byOperator {
		return other
	}
	return e
}

// Updates reports whether every update is told of, at once or after a while; if
// not, a commit or the end of a window decides.
func (e Emission) Updates() bool { return e.when == onUpdate || e.when == every }

// Gathers reports whether what the nodes after the table were told has to be
// known, since several updates become one.
func (e Emission) Gathers() bool { return e.when == every }

// Emitting is the emission of a table under construction, and the stores it
// needs.
type Emitting struct {
	Emission

	b       *Builder
	node    *topology.Node
	store   string          // the table's own
	pending *topology.Store // what waits, with Every
	open    *topology.Store // windows that are not closed, with OnClose
}

// Emitting is for a table of the given node, which is there already.
func (b *Builder) Emitting(n *topology.Node, store string, e Emission, at string) *Emitting {
	s := &Emitting{b: b, node: n, store: store}
	s.Set(e, at)
	return s
}

// Set chooses the emission.
func (s *Emitting) Set(to Emission, at string) {
	s.Emission = to
	switch to.when {
	case every:
		if to.everyMS <= 0 {
			s.b.Fail(at, "EmitEvery needs an interval of a millisecond or more")
		}
		s.pending = s.derived(s.pending, "-pending", at)
	case onClose:
		s.open = s.derived(s.open, "-open", at)
	}
}

func (s *Emitting) derived(st *topology.Store, suffix, at string) *topology.Store {
	if st == nil {
		st = s.b.Store(topology.Store{Name: s.store + suffix, Kind: topology.Buffer, At: at}, "")
		s.node.Stores = append(s.node.Stores, st)
	}
	return st
}

// Teller is the output of a table in a task that may keep changes back for a
// while, if its emission is Every. It is a Port else.
type Teller[K, V any] struct {
	task    *task.Task
	port    *Port[Change[K, V]]
	pending *cache.Buffer[K, waiting[V]] // nil: at once
	order   *int64                       // of the keys that wait: by their first change
}

// NewTeller makes the output of n.
func NewTeller[K, V any](t *task.Task, n *topology.Node, e *Emitting, key serde.Serde[K], value serde.Serde[V]) *Teller[K, V] {
	s := &Teller[K, V]{task: t, port: NewPort[Change[K, V]](t, n)}
	if e.when != every {
		return s
	}
	s.pending = cache.OpenBuffer(t, cache.BufferSpec[K, waiting[V]]{
		Store: e.pending, Label: n.Label(), Key: key, Value: waitingSerde[V]{value}, Keyed: true,
	})
	s.order = t.Time(e.pending.Name + "/order")
	t.Schedule(time.Duration(e.everyMS)*time.Millisecond, true, func(int64) error { return s.release() })
	return s
}

// Emit passes a change on, or keeps it until the interval is over: the newest
// value of the row, and the value that the nodes after it know.
func (s *Teller[K, V]) Emit(c Change[K, V]) error {
	if s.pending == nil {
		return s.port.Emit(c)
	}
	w := waiting[V]{New: c.New, HasNew: c.HasNew, Old: c.Old, HasOld: c.HasOld, Time: c.Time, Stale: c.Stale}
	before, ok, err := s.pending.Find(c.Key)
	if err != nil {
		return err
	}
	if ok {
		w.Old, w.HasOld = before.Value.Old, before.Value.HasOld
		w.Stale = w.Stale && before.Value.Stale
	}
	*s.order++
	return s.pending.Replace(*s.order, c.Key, w, c.Meta.Headers)
}

// release tells of all that waits.
func (s *Teller[K, V]) release() error {
	for {
		_, ok, err := s.pending.FirstTime()
		if err != nil || !ok {
			return err
		}
		b, err := s.pending.Pop()
		if err != nil {
			return err
		}
		if !b.Value.HasNew && !b.Value.HasOld {
			continue // it came and went, and nobody has heard of it
		}
		if err := emitAs(s.task, s.port, changeOf(b.Key, &b.Value), b.Headers); err != nil {
			return err
		}
	}
}

// Told is the row as the nodes after the table know it, where it is now as given.
func (s *Teller[K, V]) Told(k K, now Row[V]) (Row[V], error) {
	if s.pending == nil {
		return now, nil
	}
	b, ok, err := s.pending.Find(k)
	if err != nil || !ok {
		return now, err
	}
	return Row[V]{Value: b.Value.Old, OK: b.Value.HasOld, Time: b.Value.Time}, nil
}

// emitAs emits a change with the headers of the record that caused it, whatever
// record is in process.
func emitAs[K, V any](t *task.Task, port *Port[Change[K, V]], c Change[K, V], headers []record.Header) error {
	meta := t.Meta()
	now := meta.Headers
	meta.Headers = headers
	c.Meta = meta
	err := port.Emit(c)
	meta.Headers = now
	return err
}
