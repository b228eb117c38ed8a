package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leatstream/leat/state"
	"github.com/leatstream/leat/stream"
)

type (
	record    = stream.Record[*datum, *datum]
	processor = stream.Processor[*datum, *datum]
	openStore = state.KeyValue[*datum, *datum]
	handler   = func(record) error
)

// custom is a processor of the library in a task.
type custom struct {
	op       *operator
	p        *processor
	s        *openStore       // its first store, if that is one of keys and values
	declared []state.Declared // its stores
	wall     func() int64     // the case's wall clock
	clock    func(punctuated time.Time) int64
	n        int64
}

// handlers are the processors.
var handlers = map[string]func(*custom) handler{
	"emitCountEvery": emitCountEvery,
	"ticker":         ticker,
	"dedupWithin":    dedupWithin,
	"deadline":       deadline,
	"sortBuffer":     sortBuffer,
	"lookup":         lookup,
	"meta":           meta,
	"twice":          twice,
	"route":          route,
	"windowLog":      windowLog,
	"sessionLog":     sessionLog,
	"versionedLog":   versionedLog,
}

func (b *builder) process(op *operator, in streamNode) (any, error) {
	stores, err := b.listed(op)
	if err != nil {
		return nil, err
	}
	if op.Op == "processValues" {
		return b.processValues(op, in, stores)
	}
	make, ok := handlers[op.Fn]
	if !ok {
		return nil, unsupported("process %s", op.Fn)
	}
	if op.Fn == "route" {
		if _, err := function(predicates, op.Pred); err != nil {
			return nil, err
		}
	}
	now := b.now
	s := in.Process(func(p *processor) func(record) error {
		c := &custom{op: op, p: p, declared: stores, wall: func() int64 { return now(p.Now()) }}
		c.clock = func(at time.Time) int64 {
			if op.Clock == "wall" {
				return now(at)
			}
			return at.UnixMilli()
		}
		if len(stores) > 0 {
			if st, ok := stores[0].(state.Store[*datum, *datum]); ok && st.History() == 0 {
				c.s = p.Store(st)
			}
		}
		return make(c)
	}, stores...)
	n := streamNode{s, true}
	if op.Fn == "route" {
		return routedNode{n, op}, nil
	}
	return n, nil
}

// listed is the stores that a processor lists.
func (b *builder) listed(op *operator) (stores []state.Declared, err error) {
	for _, name := range op.Stores {
		if st, ok := b.declared[name]; ok {
			stores = append(stores, st)
		} else if st, ok := b.kv[name]; ok {
			stores = append(stores, st)
		} else {
			return nil, unsupported("%s with store %s", op.Op, name)
		}
	}
	return stores, nil
}

// domain is the time the operator's punctuation goes by.
func (c *custom) domain() stream.TimeDomain {
	if c.op.Clock == "wall" {
		return stream.WallClock
	}
	return stream.StreamTime
}

// every starts a punctuation in the case's own time.
func (c *custom) every(interval int64, f func(now int64) error) *stream.Timer {
	return c.p.Punctuate(ms(interval), c.domain(), func(at time.Time) error { return f(c.clock(at)) })
}

func (c *custom) forward(k, v *datum, at int64) error {
	return c.p.ForwardAt(k, v, time.UnixMilli(at))
}

// keyed leaves out records without a key.
func keyed(f handler) handler {
	return func(r record) error {
		if r.Key == nil {
			return nil
		}
		return f(r)
	}
}

func emitCountEvery(c *custom) handler {
	c.every(c.op.IntervalMs, func(now int64) error {
		for k, n := range c.s.All() {
			if err := c.forward(k, n, now); err != nil {
				return err
			}
			if !c.op.Reset {
				continue
			}
			if err := c.s.Delete(k); err != nil {
				return err
			}
		}
		return c.s.Err()
	})
	return keyed(func(r record) error {
		n, _, err := c.s.Get(r.Key)
		if err != nil {
			return err
		}
		return c.s.Put(r.Key, num(n.number()+1))
	})
}

func ticker(c *custom) handler {
	var t *stream.Timer
	t = c.every(c.op.IntervalMs, func(now int64) error {
		c.n++
		if c.n == c.op.Max {
			t.Stop()
		}
		return c.forward(str("tick"), num(c.n), now)
	})
	return func(record) error { return nil }
}

func dedupWithin(c *custom) handler {
	return func(r record) error {
		if r.Key != nil {
			last, ok, err := c.s.Get(r.Key)
			if err != nil || ok && r.Time.UnixMilli()-last.int < c.op.WindowMs {
				return err
			}
			if err := c.s.Put(r.Key, num(r.Time.UnixMilli())); err != nil {
				return err
			}
		}
		return c.p.Forward(r.Key, r.Value)
	}
}

func deadline(c *custom) handler {
	c.every(c.op.CheckEveryMs, func(now int64) error {
		for k, due := range c.s.All() {
			if due.int > now {
				continue
			}
			if err := c.forward(k, str("TIMEOUT"), now); err != nil {
				return err
			}
			if err := c.s.Delete(k); err != nil {
				return err
			}
		}
		return c.s.Err()
	})
	return func(r record) error {
		if err := c.p.Forward(r.Key, r.Value); err != nil || r.Key == nil {
			return err
		}
		if r.Value == nil {
			return c.s.Delete(r.Key)
		}
		now := r.Time.UnixMilli()
		if c.op.Clock == "wall" {
			now = c.wall()
		}
		return c.s.Put(r.Key, num(now+c.op.TimeoutMs))
	}
}

func sortBuffer(c *custom) handler {
	return keyed(func(r record) error {
		if r.Value == nil {
			return nil
		}
		slot := fmt.Sprintf("%016d:%06d:%s", r.Time.UnixMilli(), c.n, r.Key)
		c.n++
		if err := c.s.Put(str(slot), r.Value); err != nil {
			return err
		}
		latest, _ := c.p.StreamTime()
		for k, v := range c.s.All() {
			at, key, err := slotOf(k.text)
			if err != nil {
				return err
			}
			if at > latest.UnixMilli()-c.op.DelayMs {
				break
			}
			if err := c.p.ForwardRecord(record{Key: str(key), Value: v, Time: time.UnixMilli(at)}); err != nil {
				return err
			}
			if err := c.s.Delete(k); err != nil {
				return err
			}
		}
		return c.s.Err()
	})
}

// slotOf takes a key of sortBuffer's store apart.
func slotOf(slot string) (at int64, key string, err error) {
	parts := strings.SplitN(slot, ":", 3)
	if len(parts) != 3 {
		return 0, "", fmt.Errorf("slot %q", slot)
	}
	at, err = strconv.ParseInt(parts[0], 10, 64)
	return at, parts[2], err
}

func lookup(c *custom) handler {
	return func(r record) error {
		found := "null"
		if r.Key != nil {
			v, ok, err := c.s.Get(r.Key)
			if err != nil {
				return err
			}
			if ok {
				at, _, err := c.s.Time(r.Key)
				if err != nil {
					return err
				}
				found = fmt.Sprintf("%s@%d", v, at.UnixMilli())
			}
		}
		return c.p.Forward(r.Key, str(r.Value.String()+"~"+found))
	}
}

func meta(c *custom) handler {
	return keyed(func(r record) error {
		at, _ := c.p.StreamTime()
		return c.p.Forward(r.Key, str(fmt.Sprintf("%s/%d/%d stream=%d wall=%d", r.Topic, r.Partition, r.Offset, at.UnixMilli(), c.wall())))
	})
}

// outputOf is the output that stands for a child of that name.
func outputOf(name string) stream.Output[*datum, *datum] {
	return stream.NewOutput[*datum, *datum]("to " + name)
}

// route forwards to one of two children.
func route(c *custom) handler {
	yes, no, pred := c.p.Output(outputOf(c.op.Yes)), c.p.Output(outputOf(c.op.No)), predicates[c.op.Pred]
	return func(r record) error {
		if pred(r.Key, r.Value) {
			return yes.Forward(r.Key, r.Value)
		}
		return no.Forward(r.Key, r.Value)
	}
}

// routedNode is a processor that forwards to its children by their names.
type routedNode struct {
	streamNode
	op *operator
}

// child is the stream that the child of that name reads.
func (n routedNode) child(name string) streamNode {
	if name != n.op.Yes && name != n.op.No {
		return n.streamNode
	}
	return streamNode{n.Output(outputOf(name)), true}
}

func twice(c *custom) handler {
	return func(r record) error {
		if err := c.p.Forward(r.Key, r.Value); err != nil {
			return err
		}
		r.Value = str(r.Value.String() + "!")
		r.Time = r.Time.Add(time.Millisecond)
		r.Headers = append(slices.Clip(r.Headers), stream.Header{Key: "twice", Value: []byte("1")})
		return c.p.ForwardRecord(r)
	}
}
