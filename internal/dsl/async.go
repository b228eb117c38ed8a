package dsl

import (
	"context"
	"fmt"
	"hash/maphash"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/leatstream/leat/internal/task"
	"github.com/leatstream/leat/internal/topology"
)

// Calls says how an operator makes calls that take long.
type Calls struct {
	InFlight int
	Timeout  time.Duration
	ByKey    bool // results in the order of the records of a key, else of all
}

// Async replaces each value by what a call gives, many of them at once.
func Async[K, V, VR any](in *StreamDef[K, V], calls Calls, f func(context.Context, K, V) (VR, error), op, at string) *StreamDef[K, VR] {
	d := &StreamDef[K, VR]{B: in.B, Rekeyed: in.Rekeyed}
	d.Node = in.B.Add(topology.Node{Op: op, Kind: topology.Processor, At: at, Inputs: []*topology.Node{in.Node}},
		func(t *task.Task, n *topology.Node) {
			a := &async[K, V, VR]{
				task: t, node: n, in: in.Out(t), out: NewPort[Record[K, VR]](t, n), calls: calls, f: f,
				lanes: map[uint64]*lane[K, V, VR]{},
			}
			if calls.ByKey && !t.InOrder() {
				a.laneOf = laneOf[K]()
			}
			var cancel context.CancelFunc
			a.ctx, cancel = context.WithCancel(t.Context())
			t.OnClose(func() error { cancel(); return nil })
			a.in.Subscribe(n, a.take)
		})
	return d
}

// async is the operator in a task. Only call runs on other goroutines.
type async[K, V, VR any] struct {
	task    *task.Task
	node    *topology.Node
	in      *Port[Record[K, V]]
	out     *Port[Record[K, VR]]
	calls   Calls
	f       func(context.Context, K, V) (VR, error)
	ctx     context.Context
	laneOf  func(K) uint64 // nil: one lane for all
	lanes   map[uint64]*lane[K, V, VR]
	waiting []*call[K, V, VR] // more than may be in flight, of one record before
	running int
	crowded bool
}

// lane is calls whose results keep their order.
type lane[K, V, VR any] struct{ first, last *call[K, V, VR] }

// call is one call for a record.
type call[K, V, VR any] struct {
	task.Pending
	a       *async[K, V, VR]
	r       Record[K, V]
	lane    uint64
	next    *call[K, V, VR] // in the lane
	attempt int
	done    bool
	v       VR
	err     error
}

func (a *async[K, V, VR]) take(r Record[K, V]) error {
	c := &call[K, V, VR]{a: a, r: r}
	c.Settle = c.settle
	a.task.PutOff(&c.Pending)
	if a.laneOf != nil {
		c.lane = a.laneOf(r.Key)
	}
	if l := a.lanes[c.lane]; l != nil {
		l.last.next = c
		l.last = c
	} else {
		a.lanes[c.lane] = &lane[K, V, VR]{c, c}
	}
	if a.running < a.calls.InFlight {
		a.start(c)
	} else {
		a.waiting = append(a.waiting, c)
	}
	a.crowd()
	return nil
}

// crowd keeps the task from taking records while there is no room for a call.
func (a *async[K, V, VR]) crowd() {
	full := a.running >= a.calls.InFlight
	switch {
	case full && !a.crowded:
		a.task.Crowd(1)
	case !full && a.crowded:
		a.task.Crowd(-1)
	}
	a.crowded = full
}

func (a *async[K, V, VR]) start(c *call[K, V, VR]) {
	a.running++
	c.attempt++
	go c.call()
}

// call makes the call. When its time is over the call counts as failed, even if
// the function goes on; what it returns then is of no interest.
func (c *call[K, V, VR]) call() {
	ctx, cancel := context.WithTimeout(c.a.ctx, c.a.calls.Timeout)
	defer cancel()
	var over atomic.Bool
	complete := func(v VR, err error) {
		if over.CompareAndSwap(false, true) {
			c.v, c.err = v, err
			c.a.task.Complete(&c.Pending)
		}
	}
	stop := context.AfterFunc(ctx, func() {
		var none VR
		complete(none, fmt.Errorf("no answer within %v: %w", c.a.calls.Timeout, ctx.Err()))
	})
	defer stop()
	complete(c.try(ctx))
}

// try makes an error of a panic.
func (c *call[K, V, VR]) try(ctx context.Context) (v VR, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = task.Panicked(caught)
		}
	}()
	return c.a.f(ctx, c.r.Key, c.r.Value)
}

// settle goes on with a call that has returned, and with those that had to wait
// for it in their lane.
func (c *call[K, V, VR]) settle() error {
	a := c.a
	if err := a.ctx.Err(); err != nil {
		return err // the task ends; its next owner makes the call again
	}
	a.running--
	c.done = true
	for len(a.waiting) > 0 && a.running < a.calls.InFlight {
		a.start(a.waiting[0])
		a.waiting[0] = nil
		a.waiting = a.waiting[1:]
	}
	l := a.lanes[c.lane]
	for l.first != nil && l.first.done {
		first := l.first
		if again, err := first.finish(); again || err != nil {
			a.crowd()
			return err
		}
		l.first = first.next
	}
	if l.first == nil {
		delete(a.lanes, c.lane)
	}
	a.crowd()
	return nil
}

// finish emits the result of a call, or leaves its failure to the policy, which
// may want another call.
func (c *call[K, V, VR]) finish() (again bool, err error) {
	a := c.a
	a.task.Resume(&c.Pending)
	if c.err == nil {
		err = a.out.Emit(Record[K, VR]{Key: c.r.Key, Value: c.v, Time: c.r.Time, KeyNull: c.r.KeyNull, Meta: c.r.Meta})
		a.task.Finish(&c.Pending)
		return false, err
	}
	err = a.task.Failed(a.node.Label(), c.err, c.attempt)
	if err == task.ErrRetry {
		c.done, c.err = false, nil
		a.start(c)
		return true, nil
	}
	if err == nil {
		err = a.in.tell(a.node, c.r)
	}
	a.task.Finish(&c.Pending)
	return false, err
}

// laneOf is a function that gives equal keys the same lane; nil if there is none
// for the type, since its values hold pointers, and what those point to counts.
func laneOf[K any]() func(K) uint64 {
	seed := maphash.MakeSeed()
	if _, ok := any((*K)(nil)).(*[]byte); ok {
		return func(k K) uint64 { return maphash.Bytes(seed, any(k).([]byte)) }
	}
	if !plain(reflect.TypeFor[K]()) {
		return nil
	}
	return func(k K) uint64 { return maphash.Comparable[any](seed, k) }
}

// plain reports whether == compares all there is to values of a type.
func plain(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if !plain(t.Field(i).Type) {
				return false
			}
		}
		return true
	case reflect.Array:
		return plain(t.Elem())
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return false
	}
	return true
}
