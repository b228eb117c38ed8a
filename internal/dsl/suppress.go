package dsl

import (
	"errors"
	"fmt"
	"time"

	"github.com/leatstream/leat/internal/cache"
	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
	"github.com/leatstream/leat/serde"
)

// ErrBufferFull is table.ErrBufferFull.
var ErrBufferFull = errors.New("the buffer of a suppressed table is full")

// Suppression is a node that keeps changes of a table back.
type Suppression[K, V any] struct {
	At    string
	Input *TableDef[K, V]
	Store *topology.Store
	Key   serde.Serde[K]
	Value serde.Serde[V]
	// ClosesAt is the first stream time at which a window that ends at end is
	// closed, where changes wait for that; nil where they wait for Wait.
	ClosesAt func(end int64) int64
	Wait     int64 // milliseconds of stream time after a row's first change
	// Bounds of what waits, 0 for none. Beyond them the earliest go on, or, if
	// Strict, the task fails.
	MaxRecords, MaxBytes int64
	Strict               bool
}

// spanned is a key that has a window: window.Key.
type spanned interface{ End() time.Time }

// Spanned reports whether K has a window.
func Spanned[K any]() bool {
	_, ok := any(new(K)).(spanned)
	return ok
}

// Build adds the node.
func (s Suppression[K, V]) Build(b *Builder) *TableDef[K, V] {
	in := s.Input
	d := &TableDef[K, V]{B: b, WantOld: func() {}}
	if s.ClosesAt == nil || b.LikeKafka {
		in.WantOld() // the first change that waits says what is known of its row
	}
	name := s.Store.Name
	if in.Lookup != nil {
		d.Lookup = func(t *task.Task) Lookup[K, V] {
			lookup := t.Opened(name).(*suppress[K, V]).lookup(in.Lookup(t))
			if in.Find == nil {
				return lookup
			}
			return func(k K, v View) (Row[V], error) { return lookup(in.Find(k), v) }
		}
	}
	d.Node = b.Add(topology.Node{
		Op: "Suppress", Name: name, Kind: topology.Processor, At: s.At,
		Inputs: []*topology.Node{in.Node}, Stores: []*topology.Store{s.Store},
	}, func(t *task.Task, n *topology.Node) {
		p := &suppress[K, V]{
			Suppression: s, task: t, label: n.Label(), likeKafka: b.LikeKafka,
			port: NewPort[Change[K, V]](t, n), streamTime: t.Time(n.Label()),
		}
		p.span, _ = any(&p.key).(spanned)
		p.buffer = cache.OpenBuffer(t, cache.BufferSpec[K, waiting[V]]{
			Store: s.Store, Label: p.label, Key: s.Key, Value: waitingSerde[V]{s.Value},
			Keyed: true, Counted: s.MaxRecords > 0 || s.MaxBytes > 0,
		})
		t.Keep(name, p)
		in.Out(t).Subscribe(n, p.change)
		OnTime(t, p.streamTime, p.letGo)
	})
	return d
}

// suppress is a suppressed table in a task.
type suppress[K, V any] struct {
	Suppression[K, V]
	task       *task.Task
	label      string
	likeKafka  bool
	port       *Port[Change[K, V]]
	buffer     *cache.Buffer[K, waiting[V]]
	streamTime *int64
	key        K       // of the change in process
	span       spanned // of key, without an allocation for each
}

func (p *suppress[K, V]) change(c Change[K, V]) error {
	if c.Stale {
		return nil // the row has a newer version, which was told or waits
	}
	*p.streamTime = max(*p.streamTime, c.Time)
	if err := p.keep(c); err != nil {
		return err
	}
	return p.letGo()
}

// letGo tells of what is due.
func (p *suppress[K, V]) letGo() error {
	for {
		at, ok, err := p.buffer.FirstTime()
		if err != nil {
			return err
		}
		if !ok || !p.due(at) && !p.full() {
			return nil
		}
		if !p.due(at) && p.Strict {
			return p.fail()
		}
		if err := p.release(); err != nil {
			return err
		}
	}
}

// keep puts a change in the place of an earlier one of its row.
func (p *suppress[K, V]) keep(c Change[K, V]) error {
	w := waiting[V]{New: c.New, HasNew: c.HasNew, Time: c.Time}
	at := c.Time
	if p.ClosesAt != nil {
		p.key = c.Key
		at = p.span.End().UnixMilli()
	}
	switch {
	case p.likeKafka:
		w.Last, w.HasLast = c.Old, c.HasOld
	case p.ClosesAt != nil && !c.HasNew:
		return p.buffer.Remove(at, 0, c.Key) // it won't be told of
	case p.ClosesAt != nil:
		return p.buffer.Replace(at, c.Key, w, c.Meta.Headers) // nobody knows of it yet
	}
	before, ok, err := p.buffer.Find(c.Key)
	if err != nil {
		return err
	}
	w.Old, w.HasOld = c.Old, c.HasOld
	if ok {
		w.Old, w.HasOld = before.Value.Old, before.Value.HasOld
	}
	return p.buffer.Replace(at, c.Key, w, c.Meta.Headers)
}

// due reports whether what was put with the given time has waited enough. For
// windows whose end is within, Kafka Streams takes them for closed while a record
// of that end may still come.
func (p *suppress[K, V]) due(at int64) bool {
	if p.ClosesAt != nil {
		return p.ClosesAt(at) <= *p.streamTime
	}
	return at <= *p.streamTime-p.Wait
}

func (p *suppress[K, V]) full() bool {
	return p.MaxRecords > 0 && p.buffer.Len() > p.MaxRecords || p.MaxBytes > 0 && p.buffer.Bytes() > p.MaxBytes
}

func (p *suppress[K, V]) fail() error {
	return &task.OpError{Operator: p.label, Kind: task.FailedStore, Err: fmt.Errorf(
		"%w: store %q holds %d records in %d bytes; raise MaxRecords or MaxBytes, or leave them out: what doesn't fit into memory goes to disk",
		ErrBufferFull, p.Store.Name, p.buffer.Len(), p.buffer.Bytes())}
}

// release tells of the row that has waited longest.
func (p *suppress[K, V]) release() error {
	if p.likeKafka {
		// There the row waits until it has been told of, as lookups show.
		b, _, err := p.buffer.First()
		if err == nil {
			b.Value.Old, b.Value.HasOld = b.Value.Last, b.Value.HasLast
			err = p.tell(b)
		}
		if err == nil {
			_, err = p.buffer.Pop()
		}
		return err
	}
	b, err := p.buffer.Pop()
	if err != nil {
		return err
	}
	return p.tell(b)
}

func (p *suppress[K, V]) tell(b cache.Buffered[K, waiting[V]]) error {
	if w := &b.Value; !w.HasNew && (p.ClosesAt != nil || !w.HasOld && !p.likeKafka) {
		return nil // nobody has heard of it
	}
	return emitAs(p.task, p.port, changeOf(b.Key, &b.Value), b.Headers)
}

// lookup reads a row as the nodes after this one know it.
func (p *suppress[K, V]) lookup(in Lookup[K, V]) Lookup[K, V] {
	return func(k K, _ View) (r Row[V], err error) {
		b, ok, err := p.buffer.Find(k)
		if err != nil {
			return r, err
		}
		if ok {
			return Row[V]{Value: b.Value.Old, OK: b.Value.HasOld, Time: -1}, nil // its time isn't kept
		}
		return in(k, Emitted)
	}
}
